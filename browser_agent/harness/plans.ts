// Plans of the reference models: made by the native build's plan_fixture, with the cases that PyTorch answered.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataType } from '../src/generated/shoal/agent/v1/agent_pb';
import type { Input } from './agent';
import { type Array_, readSafetensors } from './fixtures';
import { fixtures, repositoryRoot } from './paths';

const release = join(repositoryRoot, 'build/release');
const maker = join(release, 'tests/agent/plan/plan_fixture');

export const engineWasm = (variant: string): string => join(release, `engine_${variant}.wasm`);

export function whyNoPlans(): string | undefined {
  if (fixtures === undefined) return 'SHOAL_FIXTURES does not name the reference models';
  for (const file of [maker, engineWasm('simd128'), engineWasm('relaxed_simd')])
    if (!existsSync(file)) return `${file} is not built`;
  return undefined;
}

export interface PlanFile {
  readonly sha256: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface MadePlan {
  readonly plan: PlanFile;
  readonly shards: readonly PlanFile[];
  readonly vocabulary: number;
  readonly eos: readonly number[];
  readonly decoderStart: number;
}

interface Told {
  readonly plan: { readonly sha256: string };
  readonly shards: readonly { readonly sha256: string }[];
  readonly vocabulary: number;
  readonly eos: readonly number[];
  readonly decoderStart: number;
}

// Plans of reference models at 32 bits, each made once.
export function plansOnce(): (model: string) => MadePlan {
  const made = new Map<string, MadePlan>();
  return (model) => {
    if (!made.has(model)) made.set(model, makePlan(modelFolder(model), 32));
    return made.get(model)!;
  };
}

// Of a Hugging Face folder or a GGUF file, its matrices stored at so many bits but for what the rules keep.
export function makePlan(source: string, bits: number, ...keep: readonly string[]): MadePlan {
  const out = mkdtempSync(join(tmpdir(), 'shoal-plan-'));
  try {
    const told = JSON.parse(execFileSync(maker, [source, out, String(bits), ...keep], { encoding: 'utf8' })) as Told;
    const read = ({ sha256 }: { readonly sha256: string }, suffix: string): PlanFile => {
      const bytes = Uint8Array.from(readFileSync(join(out, sha256 + suffix)));
      if (createHash('sha256').update(bytes).digest('hex') !== sha256) throw new Error(`${sha256} is not its name`);
      return { sha256, bytes };
    };
    return { ...told, plan: read(told.plan, '.plan'), shards: told.shards.map((shard) => read(shard, '.weights')) };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

export interface EncoderCase {
  readonly name: string;
  readonly inputs: readonly Input[];
  readonly mask: BigInt64Array;
  // By our names.
  readonly expected: readonly ExpectedOutput[];
}

export interface ExpectedOutput {
  readonly name: string;
  // Of each row, or of each token.
  readonly isPerToken: boolean;
  readonly width: number;
  readonly data: Float32Array;
  readonly rtol: number;
  readonly atol: number;
}

export interface GenerationCase {
  readonly name: string;
  readonly prompt: Input;
  // What PyTorch generated greedily.
  readonly ids: readonly number[];
}

export interface CaseFile {
  readonly tolerance: {
    readonly fp32_strict: { readonly rtol: number; readonly atol: Readonly<Record<string, number>> };
  };
  readonly cases: readonly {
    readonly name: string;
    readonly file: string;
    readonly generate?: { readonly ids: readonly (readonly number[])[] };
  }[];
}

// What our outputs are called in the references.
const NAMES: Readonly<Record<string, string>> = { mean_pooled_normalized: 'embedding' };

export const modelFolder = (model: string): string => join(fixtures!, 'models', model);

export function caseFileOf(model: string): CaseFile {
  const text = readFileSync(join(modelFolder(model), 'reference/cases.json'), 'utf8');
  return JSON.parse(text.replaceAll(/\bNaN\b/g, 'null')) as CaseFile;
}

export function casesOf(model: string): EncoderCase[] {
  const { tolerance, cases } = caseFileOf(model);
  const { rtol, atol } = tolerance.fp32_strict;
  return cases.map(({ name, file }) => {
    const arrays = readSafetensors(join(modelFolder(model), 'reference', file));
    const ids = arrays['input.input_ids']!;
    const expected = Object.entries(arrays)
      .filter(([key]) => key.startsWith('output.'))
      .map(([key, array]): ExpectedOutput => {
        const reference = key.slice('output.'.length);
        const isOneNumber = /^(start|end)_logits$/.test(reference);
        return {
          name: NAMES[reference] ?? reference,
          isPerToken: isOneNumber || array.shape.length === 3,
          width: isOneNumber ? 1 : array.shape.at(-1)!,
          data: array.data as Float32Array,
          rtol,
          atol: atol[reference]!,
        };
      });
    const inputs = ['input_ids', 'attention_mask', 'token_type_ids']
      .filter((input) => `input.${input}` in arrays)
      .map((input) => inputOf(input, arrays[`input.${input}`]!));
    return { name: `${name} [${ids.shape.join(', ')}]`, inputs, mask: maskOf(arrays, ids), expected };
  });
}

const maskOf = (arrays: Readonly<Record<string, Array_>>, ids: Array_): BigInt64Array =>
  (arrays['input.attention_mask']?.data as BigInt64Array | undefined) ?? new BigInt64Array(ids.data.length).fill(1n);

const inputOf = (name: string, { shape, data }: Array_): Input => ({
  name,
  datatype: DataType.INT64,
  shape,
  bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});

// The worst |actual - expected| in units of the tolerance, over what the mask keeps; Infinity where a padded token is not 0.
export function worstOf(actual: Float32Array, expected: ExpectedOutput, mask: BigInt64Array): number {
  const { data, width, rtol, atol, isPerToken } = expected;
  if (actual.length !== data.length) return Infinity;
  let worst = 0;
  actual.forEach((value, at) => {
    if (isPerToken && mask[Math.floor(at / width)] === 0n) {
      if (value !== 0) worst = Infinity;
      return;
    }
    const off = Math.abs(value - data[at]!) / (atol + rtol * Math.abs(data[at]!));
    if (!(off <= worst)) worst = off; // a NaN is worse than anything
  });
  return worst;
}

export const promptOf = (tokens: readonly number[]): Input => ({
  name: 'tokens',
  datatype: DataType.INT32,
  shape: [tokens.length],
  bytes: new Uint8Array(Int32Array.from(tokens).buffer),
});

// Each row of each case that was generated from, without its padding.
export function generationsOf(model: string): GenerationCase[] {
  return caseFileOf(model).cases.flatMap(({ name, file, generate }) => {
    if (generate === undefined) return [];
    const arrays = readSafetensors(join(modelFolder(model), 'reference', file));
    const ids = arrays['input.input_ids']!;
    const mask = maskOf(arrays, ids);
    const width = ids.shape[1]!;
    return generate.ids.map((expected, row) => {
      const kept = Array.from({ length: width }, (_, column) => row * width + column).filter((at) => mask[at] !== 0n);
      const prompt = promptOf(kept.map((at) => Number(ids.data[at])));
      return { name: `${name} row ${row}`, prompt, ids: expected };
    });
  });
}
