import { Pooling_Kind as Kind } from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';
import { pool } from '../../../browser_agent/src/engine/pooling';
import { halfToNumber } from '../../../browser_agent/src/engine/onnx/tensors';

const states = {
  data: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  shape: [2, 3, 2],
};

test('mean over the tokens whose mask is 1', () => {
  expect(pool(Kind.MEAN, false, states, [1n, 1n, 0n, 0n, 1n, 0n])).toEqual({
    data: Float32Array.of(2, 3, 9, 10),
    shape: [2, 2],
  });
});

test('normalised to length 1', () => {
  const { data } = pool(Kind.MEAN, true, { data: [3, 4], shape: [1, 1, 2] }, [1]);
  expect([...data]).toEqual([Math.fround(0.6), Math.fround(0.8)]);
});

test('CLS is the first token that counts', () => {
  expect([...pool(Kind.CLS, false, states, [1, 1, 1, 0, 1, 1]).data]).toEqual([1, 2, 9, 10]);
});

test('a row without tokens gives zeros, not NaN', () => {
  expect([...pool(Kind.MEAN, true, states, [0, 0, 0, 1, 1, 1]).data.slice(0, 2)]).toEqual([0, 0]);
});

test('padding changes nothing', () => {
  const padded = { data: [1, 2, 3, 4, 99, -99], shape: [1, 3, 2] };
  const exact = { data: [1, 2, 3, 4], shape: [1, 2, 2] };
  expect(pool(Kind.MEAN, true, padded, [1, 1, 0])).toEqual(pool(Kind.MEAN, true, exact, [1, 1]));
});

test('wrong shapes are errors', () => {
  expect(() => pool(Kind.MEAN, true, { data: [1, 2], shape: [1, 2] }, [1])).toThrow('[batch, tokens, width]');
  expect(() => pool(Kind.MEAN, true, states, [1, 1])).toThrow('2 x 3');
});

test('half bits', () => {
  expect([0x3c00, 0xc000, 0x0001, 0x7c00, 0x8000, 0x3555].map(halfToNumber)).toEqual([
    1,
    -2,
    2 ** -24,
    Infinity,
    -0,
    0.333251953125,
  ]);
});
