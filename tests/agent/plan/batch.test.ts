import { batchOf, type Grid } from '../../../browser_agent/src/engine/plan/batch';
import { Code } from '../../../browser_agent/src/protocol/outcome';

const grid = (...rows: number[][]): Grid => ({
  batch: rows.length,
  tokens: rows[0]!.length,
  data: Int32Array.from(rows.flat()),
});
const limits = { rows: 4, tokens: 8 };

test('padding on the right, on the left and in between is left out', () => {
  const batch = batchOf(
    grid([1, 2, 0, 0], [0, 0, 3, 4], [5, 0, 6, 0]),
    grid([1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0]),
    undefined,
    limits,
  );
  expect(batch.steps).toHaveLength(1);
  const step = batch.steps[0]!;
  expect([...step.tokens]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(step.cells).toEqual([0, 1, 6, 7, 8, 10]);
  expect(step.rows.map((row) => [row.tokenCount, row.slot])).toEqual([
    [2, 0],
    [2, 1],
    [2, 2],
  ]);
  expect(step.tokenTypes).toBeUndefined();
});

test('token types go with their tokens', () => {
  const batch = batchOf(grid([0, 7, 8]), grid([0, 1, 1]), grid([9, 0, 1]), limits);
  expect([...batch.steps[0]!.tokenTypes!]).toEqual([0, 1]);
});

test('more rows or tokens than the limits take more steps, rows in order', () => {
  const rows = Array.from({ length: 6 }, (_, row) => [row, row, row]);
  const batch = batchOf(grid(...rows), undefined, undefined, limits);
  expect(batch.steps.map((step) => step.batchRows)).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
  ]);
  expect(batch.steps.map((step) => step.rows.map((row) => row.slot))).toEqual([
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
  const short = batchOf(grid(...rows.map(([id]) => [id!])), undefined, undefined, limits);
  expect(short.steps.map((step) => step.batchRows)).toEqual([
    [0, 1, 2, 3],
    [4, 5],
  ]);
});

test('a row without tokens has no part in a step', () => {
  const batch = batchOf(grid([1, 1], [2, 2]), grid([0, 0], [1, 1]), undefined, limits);
  expect(batch.steps.map((step) => step.batchRows)).toEqual([[1]]);
  expect(batchOf(grid([1, 1]), grid([0, 0]), undefined, limits).steps).toEqual([]);
});

test('what does not fit is refused by name', () => {
  const long = grid(new Array<number>(9).fill(1));
  expect(() => batchOf(long, undefined, undefined, limits)).toThrow(
    expect.objectContaining({ code: Code.CONTEXT_LENGTH_EXCEEDED }) as Error,
  );
  expect(() => batchOf(grid([1, 2]), grid([1, 1, 1]), undefined, limits)).toThrow(/'attention_mask' is \[1, 3\]/);
  expect(() => batchOf(grid([1, 2]), undefined, grid([1, 1], [1, 1]), limits)).toThrow(/'token_type_ids' is \[2, 2\]/);
});
