// A run that generates: the prompt is read in chunks, then a token is made in each step and sent at once; those of a model that
// makes more than a few hundred a second go together. After each step and between layers the worker may hear a cancel.
import { create } from '@bufbuild/protobuf';
import { DataType, type Generate, type Run, TensorSchema } from '../../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code } from '../../protocol/outcome';
import type { Packed } from '../../protocol/runFrames';
import type { RunControl, RunResult } from '../engine';
import { intInputs } from './inputs';
import { runLayers } from './layers';
import type { GenerateOptions, PlanSession } from './session';

// Whoever passes tokens on is kept busy by that, and must hear cancels beside it.
const TOGETHER_MS = 4;

export async function generate(
  session: PlanSession,
  options: Generate,
  run: Run,
  payload: Uint8Array,
  control: RunControl,
): Promise<RunResult> {
  const tokens = intInputs(run.inputs, payload, ['tokens']).get('tokens');
  if (tokens === undefined) throw new AgentError(Code.INVALID_ARGUMENT, "the input 'tokens' is missing");
  const started = performance.now();
  let prefillMs = 0;
  let decodeMs = 0;
  let unsent: number[] = [];
  let sentAt = -Infinity;
  session.generate(tokens.data, optionsOf(options));
  while (session.finished === undefined) {
    const isReading = session.isReading;
    const began = performance.now();
    session.beginStep();
    await runLayers(session, control);
    const token = session.endStep();
    const tookMs = performance.now() - began;
    if (isReading) prefillMs += tookMs;
    else decodeMs += tookMs;
    if (token !== undefined) unsent.push(token);
    const isDone = session.finished !== undefined;
    if (unsent.length > 0 && (isDone || performance.now() - sentAt >= TOGETHER_MS)) {
      control.output(packed(unsent));
      unsent = [];
      sentAt = performance.now();
    }
    if (!isDone) await control.breathe();
  }
  return {
    tensors: [],
    payload: new Uint8Array(0),
    computeUs: Math.round((performance.now() - started) * 1000),
    finish: { finishReason: session.finished, prefillUs: micros(prefillMs), decodeUs: micros(decodeMs) },
  };
}

function optionsOf({ maxTokens, stopIds, decoderStart, sampling }: Generate): GenerateOptions {
  return {
    maxTokens,
    stopIds,
    decoderStart,
    temperature: sampling?.temperature ?? 0,
    topK: sampling?.topK ?? 0,
    topP: sampling?.topP ?? 0,
    minP: sampling?.minP ?? 0,
    repetitionPenalty: sampling?.repetitionPenalty ?? 0,
    presencePenalty: sampling?.presencePenalty ?? 0,
    frequencyPenalty: sampling?.frequencyPenalty ?? 0,
    seed: sampling?.seed ?? 0n,
    logitBias: Object.entries(sampling?.logitBias ?? {}).map(([id, bias]) => [Number(id), bias] as const),
  };
}

function packed(tokens: readonly number[]): Packed {
  const data = Int32Array.from(tokens);
  const tensor = create(TensorSchema, {
    name: 'tokens',
    datatype: DataType.INT32,
    shape: [BigInt(data.length)],
    byteSize: BigInt(data.byteLength),
  });
  return { tensors: [tensor], payload: new Uint8Array(data.buffer) };
}

const micros = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1000));
