import { create } from '../../../browser_agent/node_modules/@bufbuild/protobuf/dist/esm';
import { type Run, RunSchema } from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';
import { Assembler, MAX_PENDING_BYTES } from '../../../browser_agent/src/protocol/assembler';
import { Code } from '../../../browser_agent/src/protocol/outcome';

const run = (...sizes: number[]): Run =>
  create(RunSchema, {
    inputs: sizes.map((size) => ({ byteSize: BigInt(size) })),
  });
const of = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);
// Frames that hold nothing but their payload.
const begin = (assembler: Assembler, workId: bigint, what: Run, frame: Uint8Array<ArrayBuffer>) =>
  assembler.begin(workId, what, frame, frame.byteLength);
const chunk = (assembler: Assembler, workId: bigint, frame: Uint8Array<ArrayBuffer>) =>
  assembler.chunk(workId, frame, frame.byteLength);

test('a run without payload is whole at once', () => {
  expect(begin(new Assembler(), 1n, run(), of())).toMatchObject({
    ok: true,
    value: { workId: 1n },
  });
});

test('chunks complete a run, interleaved with another', () => {
  const assembler = new Assembler();
  expect(begin(assembler, 1n, run(2, 3), of(1, 2))).toEqual({
    ok: true,
    value: undefined,
  });
  expect(begin(assembler, 2n, run(2), of(9))).toEqual({
    ok: true,
    value: undefined,
  });
  expect(chunk(assembler, 1n, of(3))).toEqual({ ok: true, value: undefined });
  const second = chunk(assembler, 2n, of(8));
  expect(second.ok && second.value!.frames.flatMap((frame) => [...frame])).toEqual([9, 8]);
  const first = chunk(assembler, 1n, of(4, 5));
  expect(first.ok && first.value!.frames.flatMap((frame) => [...frame])).toEqual([1, 2, 3, 4, 5]);
});

test('more bytes than declared is an error, and the rest is dropped', () => {
  const assembler = new Assembler();
  expect(begin(assembler, 1n, run(2), of(1, 2, 3))).toMatchObject({
    ok: false,
    error: { code: Code.INVALID_ARGUMENT },
  });
  expect(chunk(assembler, 1n, of(4))).toEqual({ ok: true, value: undefined });
});

test('a work id twice is an error', () => {
  const assembler = new Assembler();
  begin(assembler, 1n, run(2), of(1));
  expect(begin(assembler, 1n, run(2), of(1))).toMatchObject({
    ok: false,
    error: { code: Code.INVALID_ARGUMENT },
  });
});

test('the bound counts what is under way, and forgetting gives it back', () => {
  const assembler = new Assembler();
  const huge = create(RunSchema, {
    inputs: [{ byteSize: BigInt(MAX_PENDING_BYTES) + 1n }],
  });
  expect(begin(assembler, 1n, huge, of())).toMatchObject({
    ok: false,
    error: { code: Code.RESOURCE_LIMIT },
  });
  expect(begin(assembler, 2n, create(RunSchema, { inputs: [{ byteSize: 2n ** 63n }] }), of())).toMatchObject({
    ok: false,
    error: { code: Code.RESOURCE_LIMIT },
  });
  begin(assembler, 3n, run(1024), of(1));
  expect(begin(assembler, 4n, run(MAX_PENDING_BYTES), of())).toMatchObject({
    ok: false,
    error: { code: Code.RESOURCE_LIMIT },
  });
  expect(assembler.forget(3n)).toBe(true);
  expect(assembler.forget(3n)).toBe(false);
});
