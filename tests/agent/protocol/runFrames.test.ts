// A run's bytes from the server's frames to the engine and back.
import { create } from '../../../browser_agent/node_modules/@bufbuild/protobuf/dist/esm';
import {
  DataType,
  EnvelopeSchema,
  RunSchema,
  type Tensor,
  TensorSchema,
} from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';
import { decodeFrame, type Frame, framesOf, MAX_CHUNK_BYTES } from '../../../browser_agent/src/protocol/frame';
import { answerOf, runOf } from '../../../browser_agent/src/protocol/runFrames';

const counted = (size: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length: size }, (_, index) => index % 251);
const tensor = (size: number): Tensor =>
  create(TensorSchema, { name: 'x', datatype: DataType.UINT8, shape: [BigInt(size)], byteSize: BigInt(size) });
const decoded = (frames: readonly Uint8Array[]): Frame[] =>
  frames.map((bytes) => {
    const frame = decodeFrame(bytes);
    if (!frame.ok) throw frame.error;
    return frame.value;
  });

test.each([0, 1, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1, 3 * MAX_CHUNK_BYTES])('a run of %i bytes', (size) => {
  const value = create(RunSchema, { instance: 'a', inputs: [tensor(size)] });
  const frames = [...framesOf(create(EnvelopeSchema, { workId: 7n, body: { case: 'run', value } }), counted(size))];
  const { run, payload } = runOf(frames);
  expect(run.instance).toBe('a');
  expect(Buffer.compare(payload, counted(size))).toBe(0);
});

test('what is no run is refused', () => {
  expect(() => runOf([])).toThrow("a run's first frame");
  expect(() => runOf(answerOf(1n, { computeUs: 0n, queueUs: 0n }))).toThrow("'end'");
});

test('a small output carries the end', () => {
  const frames = decoded(answerOf(7n, { computeUs: 5n, queueUs: 6n }, { tensors: [tensor(9)], payload: counted(9) }));
  expect(frames).toHaveLength(1);
  const body = frames[0]!.envelope.body;
  expect(body.case === 'output' && body.value.end).toMatchObject({ computeUs: 5n, queueUs: 6n });
  expect([...frames[0]!.raw]).toEqual([...counted(9)]);
});

test('a long output is chunked, and the end comes last', () => {
  const size = MAX_CHUNK_BYTES + 1;
  const frames = decoded(
    answerOf(7n, { computeUs: 5n, queueUs: 6n }, { tensors: [tensor(size)], payload: counted(size) }),
  );
  expect(frames.map(({ envelope }) => envelope.body.case)).toEqual(['output', 'chunk', 'end']);
  expect(frames.every(({ envelope }) => envelope.workId === 7n)).toBe(true);
  const first = frames[0]!.envelope.body;
  expect(first.case === 'output' && first.value.end).toBeUndefined();
});
