// The frame codec against the vectors that the C++ side reads too.
import { readFileSync } from 'node:fs';
import {
  create,
  fromJson,
  type JsonValue,
  toJson,
} from '../../../browser_agent/node_modules/@bufbuild/protobuf/dist/esm';
import { EnvelopeSchema, OutputSchema } from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';
import {
  decodeFrame,
  encodeFrame,
  framesOf,
  MAX_CHUNK_BYTES,
  MAX_HEADER_BYTES,
  PROTOCOL_VERSION,
} from '../../../browser_agent/src/protocol/frame';

interface Contract {
  readonly protocol: number;
  readonly max_header_bytes: number;
  readonly max_chunk_bytes: number;
  readonly frames: readonly {
    readonly name: string;
    readonly frame: string;
    readonly envelope: JsonValue;
    readonly raw: string;
  }[];
  readonly malformed: readonly {
    readonly name: string;
    readonly frame: string;
  }[];
}

const contract = JSON.parse(
  readFileSync(new URL('../../contract/agent_frames.json', import.meta.url), 'utf8'),
) as Contract;
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

test('bounds and version are those of the contract', () => {
  expect([PROTOCOL_VERSION, MAX_HEADER_BYTES, MAX_CHUNK_BYTES]).toEqual([
    contract.protocol,
    contract.max_header_bytes,
    contract.max_chunk_bytes,
  ]);
});

test.each(contract.frames)('$name decodes to its envelope and encodes to its bytes', ({ frame, envelope, raw }) => {
  const decoded = decodeFrame(bytes(frame));
  if (!decoded.ok) throw decoded.error;
  expect(toJson(EnvelopeSchema, decoded.value.envelope)).toEqual(envelope);
  expect(hex(decoded.value.raw)).toBe(raw);
  expect(hex(encodeFrame(fromJson(EnvelopeSchema, envelope), bytes(raw)))).toBe(frame);
});

test.each(contract.malformed)('malformed: $name', ({ frame }) => {
  expect(decodeFrame(bytes(frame)).ok).toBe(false);
});

test('every cut and every flipped byte of every frame gives a value', () => {
  for (const { frame } of contract.frames) {
    const whole = bytes(frame);
    for (let cut = 0; cut < whole.length; cut++) decodeFrame(whole.subarray(0, cut));
    for (let at = 0; at < whole.length; at++) {
      const flipped = whole.slice();
      flipped[at]! ^= 0xff;
      decodeFrame(flipped);
    }
  }
});

test.each([0, 1, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1, 3 * MAX_CHUNK_BYTES])(
  'a payload of %d bytes comes back in order',
  (size) => {
    const payload = Uint8Array.from({ length: size }, (_, at) => (at * 31) % 251);
    const envelope = create(EnvelopeSchema, {
      workId: 7n,
      body: { case: 'output', value: create(OutputSchema) },
    });
    const parts: Uint8Array[] = [];
    let index = 0;
    for (const frame of framesOf(envelope, payload)) {
      const decoded = decodeFrame(frame);
      if (!decoded.ok) throw decoded.error;
      expect(decoded.value.envelope.workId).toBe(7n);
      expect(decoded.value.envelope.body.case).toBe(index++ === 0 ? 'output' : 'chunk');
      parts.push(decoded.value.raw);
    }
    expect(Buffer.concat(parts).equals(Buffer.from(payload))).toBe(true);
  },
);
