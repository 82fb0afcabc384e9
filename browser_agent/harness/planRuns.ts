// The plan engine in Node, without a browser: what a worker would give it.
import { setFlagsFromString } from 'node:v8';
import { create } from '@bufbuild/protobuf';
import type { RunControl, RunResult } from '../src/engine/engine';
import type { PlanEngine, PlanEngineParts } from '../src/engine/plan/planEngine';
import { type Load, LoadSchema, RunSchema, TensorSchema } from '../src/generated/shoal/agent/v1/agent_pb';
import type { Input, RunInit } from './agent';
import type { MadePlan } from './plans';

// Node 20 has relaxed SIMD behind a flag; later ones have it without.
setFlagsFromString('--experimental-wasm-relaxed-simd');

export const unhurried: RunControl = {
  breathe: () => Promise.resolve(),
  pause: () => Promise.resolve(),
  isCancelled: false,
  takeMasks: () => [],
  onNews: () => undefined,
  output: () => undefined,
};

// A store that has the files of one plan.
export function storeOf(made: MadePlan): PlanEngineParts['store'] {
  const bytesOf = (sha256: string) => [made.plan, ...made.shards].find((file) => file.sha256 === sha256)!.bytes;
  return {
    get: ({ sha256 }) => Promise.resolve({ bytes: bytesOf(sha256), fromCache: false }),
    into: ({ sha256 }, place) => {
      place.view().set(bytesOf(sha256));
      return Promise.resolve({ fromCache: false });
    },
  };
}

export const loadOf = ({ plan, shards }: MadePlan, planLimits: Record<string, bigint> = { B: 8n, T: 512n }): Load =>
  create(LoadSchema, {
    instance: 'one',
    backend: 'wasm',
    engine: 'plan',
    sha256: plan.sha256,
    byteSize: BigInt(plan.bytes.byteLength),
    planLimits,
    external: shards.map(({ sha256, bytes }) => ({ path: sha256, sha256, byteSize: BigInt(bytes.byteLength) })),
  });

export function runOn(
  engine: PlanEngine,
  inputs: readonly Input[],
  more: Partial<RunInit> = {},
  control = unhurried,
): Promise<RunResult> {
  const tensors = inputs.map(({ name, datatype, shape, bytes }) =>
    create(TensorSchema, { name, datatype, shape: shape.map(BigInt), byteSize: BigInt(bytes.byteLength) }),
  );
  const run = create(RunSchema, { instance: 'one', ...more, inputs: tensors });
  return engine.run(run, Buffer.concat(inputs.map(({ bytes }) => bytes)), control);
}
