// A run's frames where they are used up and made, in the engine worker: the link hands them through as bytes, so that
// neither side clones what the other has decoded. Pure.
import { create } from '@bufbuild/protobuf';
import {
  type End,
  EndSchema,
  EnvelopeSchema,
  OutputSchema,
  type Run,
  type Tensor,
} from '../generated/shoal/agent/v1/agent_pb';
import { decodeFrame, encodeFrame, framesOf, MAX_CHUNK_BYTES } from './frame';
import { AgentError, Code } from './outcome';

// Tensors' declarations and their bytes, one after the other.
export interface Packed {
  readonly tensors: readonly Tensor[];
  readonly payload: Uint8Array<ArrayBuffer>;
}

// The Run and its payload. The frames are those of an Assembler; anything else is thrown as AgentError.
export function runOf(frames: readonly Uint8Array[]): { readonly run: Run; readonly payload: Uint8Array } {
  const decoded = frames.map((bytes) => {
    const frame = decodeFrame(bytes);
    if (!frame.ok) throw frame.error;
    return frame.value;
  });
  const body = decoded[0]?.envelope.body;
  if (body?.case !== 'run') throw new AgentError(Code.INTERNAL, `a run's first frame is '${String(body?.case)}'`);
  if (decoded.length === 1) return { run: body.value, payload: decoded[0]!.raw };
  const payload = new Uint8Array(decoded.reduce((sum, { raw }) => sum + raw.byteLength, 0));
  let offset = 0;
  for (const { raw } of decoded) {
    payload.set(raw, offset);
    offset += raw.byteLength;
  }
  return { run: body.value, payload };
}

export type EndFields = Pick<End, 'computeUs' | 'queueUs'> &
  Partial<Pick<End, 'loaded' | 'finishReason' | 'prefillUs' | 'decodeUs' | 'cachedTokens' | 'meanRows'>>;

// A part of an answer, ahead of its end.
export function partOf(workId: bigint, { tensors, payload }: Packed): Uint8Array<ArrayBuffer>[] {
  const value = create(OutputSchema, { tensors: [...tensors] });
  return [...framesOf(create(EnvelopeSchema, { workId, body: { case: 'output', value } }), payload)];
}

// The answer of a finished work, without an output for a load or unload and where all outputs went ahead.
export function answerOf(workId: bigint, fields: EndFields, output?: Packed): Uint8Array<ArrayBuffer>[] {
  const end = create(EndSchema, fields);
  const endFrame = (): Uint8Array<ArrayBuffer> =>
    encodeFrame(create(EnvelopeSchema, { workId, body: { case: 'end', value: end } }));
  if (output === undefined) return [endFrame()];
  const { tensors, payload } = output;
  const isWhole = payload.byteLength <= MAX_CHUNK_BYTES;
  const value = create(OutputSchema, { tensors: [...tensors], ...(isWhole && { end }) });
  const frames = [...framesOf(create(EnvelopeSchema, { workId, body: { case: 'output', value } }), payload)];
  return isWhole ? frames : [...frames, endFrame()];
}
