import { create } from '../../../browser_agent/node_modules/@bufbuild/protobuf';
import { gridOf, intInputs } from '../../../browser_agent/src/engine/plan/inputs';
import { DataType, type Tensor, TensorSchema } from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';

const raw = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const tensor = (name: string, datatype: DataType, shape: number[], byteSize: number): Tensor =>
  create(TensorSchema, { name, datatype, shape: shape.map(BigInt), byteSize: BigInt(byteSize) });
const joined = (...parts: Uint8Array[]): Uint8Array => Buffer.concat(parts);

test('INT64 and INT32 become 32-bit integers, wherever the bytes lie', () => {
  const ids = raw(BigInt64Array.of(5n, -1n, 2147483647n));
  const mask = raw(Int32Array.of(1, 0, 1));
  const payload = joined(Uint8Array.of(0), ids, mask).subarray(1);
  const inputs = intInputs(
    [tensor('ids', DataType.INT64, [1, 3], 24), tensor('mask', DataType.INT32, [1, 3], 12)],
    payload,
    ['ids', 'mask'],
  );
  expect([...inputs.get('ids')!.data]).toEqual([5, -1, 2147483647]);
  expect([...inputs.get('mask')!.data]).toEqual([1, 0, 1]);
  expect(gridOf('ids', inputs.get('ids')!)).toMatchObject({ batch: 1, tokens: 3 });
});

test('what is wrong is named', () => {
  const one = raw(BigInt64Array.of(2147483648n));
  const given = (declared: Tensor, payload = one) => intInputs([declared], payload, ['ids', 'mask']);
  expect(() => given(tensor('ids', DataType.INT64, [1], 8))).toThrow(/'ids' has 2147483648 at 0/);
  expect(() => given(tensor('ids', DataType.FP32, [2], 8))).toThrow(/'ids' is FP32, expected INT64 or INT32/);
  expect(() => given(tensor('ids', DataType.INT64, [2], 8))).toThrow(/has 8 bytes, 2 elements need 16/);
  expect(() => given(tensor('x', DataType.INT64, [1], 8))).toThrow(/no input 'x', it has ids, mask/);
  const twice = tensor('ids', DataType.INT32, [1], 4);
  expect(() => intInputs([twice, twice], one, ['ids'])).toThrow(/given twice/);
  expect(() => gridOf('ids', { shape: [3], data: Int32Array.of(1, 2, 3) })).toThrow(/is \[3\], expected \[batch/);
});
