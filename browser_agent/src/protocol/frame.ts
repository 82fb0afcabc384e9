// The frame of the link: u32 little-endian header length, an Envelope of that length, then raw bytes.
// Worked example, a Cancel of work 5 without raw bytes: 05 00 00 00 | 08 05 a2 01 00.
// Pure. Malformed bytes give an error value, never an exception. tests/contract/agent_frames.json pins both sides.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ChunkSchema, type Envelope, EnvelopeSchema, FramesSchema } from '../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code, failure, type Outcome, success } from './outcome';

export const PROTOCOL_VERSION = 1;
export const SUBPROTOCOL = 'shoal.agent.v1';
export const MAX_CHUNK_BYTES = 262144;
export const MAX_HEADER_BYTES = 262144 - 4;

const WITH_RAW_BYTES: ReadonlySet<Envelope['body']['case']> = new Set(['run', 'output', 'chunk', 'frames'] as const);

export interface Frame {
  readonly envelope: Envelope;
  readonly raw: Uint8Array;
}

export function encodeFrame(envelope: Envelope, raw: Uint8Array = new Uint8Array(0)): Uint8Array<ArrayBuffer> {
  const header = toBinary(EnvelopeSchema, envelope);
  const frame = new Uint8Array(4 + header.byteLength + raw.byteLength);
  new DataView(frame.buffer).setUint32(0, header.byteLength, true);
  frame.set(header, 4);
  frame.set(raw, 4 + header.byteLength);
  return frame;
}

export function decodeFrame(bytes: Uint8Array): Outcome<Frame> {
  const malformed = (why: string) => failure(new AgentError(Code.INVALID_ARGUMENT, `malformed frame: ${why}`));
  if (bytes.byteLength < 4) return malformed(`${bytes.byteLength} bytes, a header length needs 4`);
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  if (headerBytes === 0 || headerBytes > MAX_HEADER_BYTES)
    return malformed(`header of ${headerBytes} bytes, 1 to ${MAX_HEADER_BYTES} are allowed`);
  if (bytes.byteLength < 4 + headerBytes)
    return malformed(`header of ${headerBytes} bytes in a frame of ${bytes.byteLength}`);
  const raw = bytes.subarray(4 + headerBytes);
  if (raw.byteLength > MAX_CHUNK_BYTES)
    return malformed(`${raw.byteLength} raw bytes, the bound is ${MAX_CHUNK_BYTES}`);
  try {
    const envelope = fromBinary(EnvelopeSchema, bytes.subarray(4, 4 + headerBytes));
    const body = envelope.body.case;
    if (body === undefined) return malformed('no body that this version knows');
    if (raw.byteLength > 0 && !WITH_RAW_BYTES.has(body))
      return malformed(`${raw.byteLength} raw bytes after '${body}', which has none`);
    return success({ envelope, raw });
  } catch (error) {
    return malformed(String(error));
  }
}

// Several frames in one, when that costs whoever reads them less. Requires: none is such a one; together at most MAX_CHUNK_BYTES.
export function joinedFrame(frames: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const raw = new Uint8Array(frames.reduce((sum, frame) => sum + 4 + frame.byteLength, 0));
  const view = new DataView(raw.buffer);
  let offset = 0;
  for (const frame of frames) {
    view.setUint32(offset, frame.byteLength, true);
    raw.set(frame, offset + 4);
    offset += 4 + frame.byteLength;
  }
  return encodeFrame(create(EnvelopeSchema, { body: { case: 'frames', value: create(FramesSchema) } }), raw);
}

// The bytes of those that it holds.
export function framesWithin(raw: Uint8Array): Uint8Array[] {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const frames: Uint8Array[] = [];
  for (let offset = 0; offset < raw.byteLength; offset += 4 + frames.at(-1)!.byteLength)
    frames.push(raw.subarray(offset + 4, offset + 4 + view.getUint32(offset, true)));
  return frames;
}

// The frames of one message with a payload: the message with the payload's start, then chunks of the same work id.
export function* framesOf(envelope: Envelope, payload: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
  yield encodeFrame(envelope, payload.subarray(0, MAX_CHUNK_BYTES));
  for (let offset = MAX_CHUNK_BYTES; offset < payload.byteLength; offset += MAX_CHUNK_BYTES) {
    const chunk = create(EnvelopeSchema, {
      workId: envelope.workId,
      body: { case: 'chunk', value: create(ChunkSchema) },
    });
    yield encodeFrame(chunk, payload.subarray(offset, offset + MAX_CHUNK_BYTES));
  }
}
