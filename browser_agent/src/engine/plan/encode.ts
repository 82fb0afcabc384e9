// A run of an encoder: the padded batch in, its outputs as padded tensors out. Between two layers the worker may hear a
// cancel.
import { create } from '@bufbuild/protobuf';
import {
  DataType,
  Pooling_Kind as Kind,
  type Pooling,
  type Run,
  type Tensor,
  TensorSchema,
} from '../../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code } from '../../protocol/outcome';
import type { RunControl, RunResult } from '../engine';
import { pool } from '../pooling';
import { type Batch, batchOf, type BatchLimits, type BatchStep } from './batch';
import { gridOf, intInputs } from './inputs';
import { runLayers } from './layers';
import type { OutputInfo, PlanSession } from './session';

const INPUTS = ['input_ids', 'attention_mask', 'token_type_ids'];

interface Wanted extends OutputInfo {
  readonly index: number;
  readonly shape: readonly number[];
  // [batch, columns], or [batch, tokens, columns]; zeros where nothing was computed.
  readonly data: Float32Array<ArrayBuffer>;
}

export async function encode(
  session: PlanSession,
  signature: number,
  limits: BatchLimits,
  run: Run,
  payload: Uint8Array,
  control: RunControl,
): Promise<RunResult> {
  const inputs = intInputs(run.inputs, payload, INPUTS);
  const [ids, mask, types] = INPUTS.map((name) => {
    const input = inputs.get(name);
    return input === undefined ? undefined : gridOf(name, input);
  });
  if (ids === undefined) throw new AgentError(Code.INVALID_ARGUMENT, "the input 'input_ids' is missing");
  const batch = batchOf(ids, mask, types, limits);
  const pooling = run.pooling !== undefined && run.pooling.kind !== Kind.NONE ? run.pooling : undefined;
  const names = pooling === undefined ? run.outputs : [pooling.output];
  const outputs = session.outputs(signature);
  const wanted = (names.length > 0 ? names : outputs.map(({ name }) => name)).map((name) =>
    wantedOf(outputs, name, batch),
  );
  let computeMs = 0;
  for (const step of batch.steps) {
    const started = performance.now();
    session.begin(signature, step);
    await runLayers(session, control);
    computeMs += performance.now() - started;
    for (const output of wanted) copyOut(session.rowsOf(signature, output.index), step, output);
  }
  const computeUs = Math.round(computeMs * 1000);
  if (pooling !== undefined) return { ...pooled(pooling, wanted[0]!, mask?.data ?? ids.data.fill(1)), computeUs };
  return { ...packed(wanted), computeUs };
}

function wantedOf(outputs: readonly OutputInfo[], name: string, { batch, tokens }: Batch): Wanted {
  const index = outputs.findIndex((output) => output.name === name);
  const output = outputs[index];
  if (output === undefined) {
    const names = outputs.map((one) => one.name).join(', ');
    throw new AgentError(Code.INVALID_ARGUMENT, `the plan has no output '${name}', it has ${names}`);
  }
  const shape = output.rows === 'B' ? [batch, output.columns] : [batch, tokens, output.columns];
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  return { ...output, index, shape, data };
}

function copyOut(rows: readonly Float32Array[], step: BatchStep, { rows: symbol, columns, data }: Wanted): void {
  const places = symbol === 'B' ? step.batchRows : step.cells;
  places.forEach((place, index) => data.set(rows[index]!, place * columns));
}

function pooled(pooling: Pooling, { shape, data }: Wanted, mask: ArrayLike<number>): Omit<RunResult, 'computeUs'> {
  const embedding = pool(pooling.kind, pooling.normalize, { data, shape }, mask);
  return { tensors: [tensorOf('embedding', embedding.shape)], payload: bytesOf(embedding.data) };
}

function packed(wanted: readonly Wanted[]): Omit<RunResult, 'computeUs'> {
  const tensors = wanted.map(({ name, shape }) => tensorOf(name, shape));
  if (wanted.length === 1) return { tensors, payload: bytesOf(wanted[0]!.data) };
  const payload = new Uint8Array(wanted.reduce((sum, { data }) => sum + data.byteLength, 0));
  let offset = 0;
  for (const { data } of wanted) {
    payload.set(bytesOf(data), offset);
    offset += data.byteLength;
  }
  return { tensors, payload };
}

const bytesOf = (data: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function tensorOf(name: string, shape: readonly number[]): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return create(TensorSchema, {
    name,
    datatype: DataType.FP32,
    shape: shape.map(BigInt),
    byteSize: BigInt(count * Float32Array.BYTES_PER_ELEMENT),
  });
}
