// A hand-assembled wasm module with one function, `multiply(a, b, c, n)`: c = a * b for square f32 matrices, row-major,
// n a multiple of 8, addresses in bytes. SIMD, one thread, 4 x 8 outputs in registers. The probe rates wasm with it.
const I32 = 0x7f;
const V128 = 0x7b;

function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>>= 7;
  } while (value > 0);
  return bytes;
}

const vector = (items: readonly number[][]): number[] => [...unsigned(items.length), ...items.flat()];
const section = (id: number, body: number[]): number[] => [id, ...unsigned(body.length), ...body];
const name = (text: string): number[] => [...unsigned(text.length), ...new TextEncoder().encode(text)];

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const constant = (value: number): number[] => [0x41, value];
const ADD = [0x6a];
const MUL = [0x6c];
const SHIFT_LEFT = [0x74];
const LESS = [0x49];
const loop = (body: number[], again: number[]): number[] => [0x03, 0x40, ...body, ...again, 0x0d, 0, 0x0b];
const load = (offset: number): number[] => [0xfd, 0x00, 4, ...unsigned(offset)];
const loadSplat = [0xfd, 0x09, 2, 0];
const store = (offset: number): number[] => [0xfd, 0x0b, 4, ...unsigned(offset)];
const ZERO = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];
const F32X4_MUL = [0xfd, 0xe6, 0x01];
const F32X4_ADD = [0xfd, 0xe4, 0x01];
const step = (local: number, by: number[]): number[] => [...get(local), ...by, ...ADD, ...set(local)];

const [A, B, C, N, ROW, COLUMN, K, STRIDE, B_AT, C_AT] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const A_AT = [10, 11, 12, 13]; // one address per row of the tile
const SUM = 14; // 4 rows x 2 vectors
const B_LOW = 22;
const B_HIGH = 23;
const A_VALUE = 24;

export function matmulModule(): Uint8Array<ArrayBuffer> {
  const rows = [0, 1, 2, 3];
  const clear = rows.flatMap((row) => [...ZERO, ...set(SUM + 2 * row), ...ZERO, ...set(SUM + 2 * row + 1)]);
  const addresses = rows.flatMap((row) => [
    ...get(A!),
    ...get(ROW!),
    ...constant(row),
    ...ADD,
    ...get(STRIDE!),
    ...MUL,
    ...ADD,
    ...set(A_AT[row]!),
  ]);
  const multiplyAdd = (sum: number, b: number): number[] => [
    ...get(sum),
    ...get(A_VALUE),
    ...get(b),
    ...F32X4_MUL,
    ...F32X4_ADD,
    ...set(sum),
  ];
  const inner = [
    ...get(B_AT!),
    ...load(0),
    ...set(B_LOW),
    ...get(B_AT!),
    ...load(16),
    ...set(B_HIGH),
    ...rows.flatMap((row) => [
      ...get(A_AT[row]!),
      ...loadSplat,
      ...set(A_VALUE),
      ...multiplyAdd(SUM + 2 * row, B_LOW),
      ...multiplyAdd(SUM + 2 * row + 1, B_HIGH),
      ...step(A_AT[row]!, constant(4)),
    ]),
    ...step(B_AT!, get(STRIDE!)),
    ...step(K!, constant(1)),
  ];
  const write = rows.flatMap((row) => [
    ...get(C_AT!),
    ...get(SUM + 2 * row),
    ...store(0),
    ...get(C_AT!),
    ...get(SUM + 2 * row + 1),
    ...store(16),
    ...step(C_AT!, get(STRIDE!)),
  ]);
  const columnBytes = [...get(COLUMN!), ...constant(2), ...SHIFT_LEFT];
  const tile = [
    ...clear,
    ...addresses,
    ...get(B!),
    ...columnBytes,
    ...ADD,
    ...set(B_AT!),
    ...get(C!),
    ...get(ROW!),
    ...get(STRIDE!),
    ...MUL,
    ...ADD,
    ...columnBytes,
    ...ADD,
    ...set(C_AT!),
    ...constant(0),
    ...set(K!),
    ...loop(inner, [...get(K!), ...get(N!), ...LESS]),
    ...write,
    ...step(COLUMN!, constant(8)),
  ];
  const body = [
    ...get(N!),
    ...constant(2),
    ...SHIFT_LEFT,
    ...set(STRIDE!),
    ...constant(0),
    ...set(ROW!),
    ...loop(
      [
        ...constant(0),
        ...set(COLUMN!),
        ...loop(tile, [...get(COLUMN!), ...get(N!), ...LESS]),
        ...step(ROW!, constant(4)),
      ],
      [...get(ROW!), ...get(N!), ...LESS],
    ),
    0x0b,
  ];
  const code = [
    ...vector([
      [...unsigned(10), I32],
      [...unsigned(11), V128],
    ]),
    ...body,
  ];
  return new Uint8Array([
    0,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...section(1, vector([[0x60, ...vector([[I32], [I32], [I32], [I32]]), 0]])),
    ...section(3, vector([[0]])),
    ...section(5, vector([[0x00, ...unsigned(16)]])),
    ...section(
      7,
      vector([
        [...name('memory'), 0x02, 0],
        [...name('multiply'), 0x00, 0],
      ]),
    ),
    ...section(10, vector([[...unsigned(code.length), ...code]])),
  ]);
}
