// What this browser's WebAssembly can do, asked by validating the smallest module that uses each feature.
export interface WasmFeatures {
  readonly simd: boolean;
  readonly relaxedSimd: boolean;
  readonly threads: boolean;
  readonly jspi: boolean;
}

const validates = (bytes: readonly number[]): boolean =>
  WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, ...bytes]));

// (func (result v128) i32.const 0 i8x16.splat)
const SIMD = [1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];
// i8x16.splat thrice, then i32x4.relaxed_dot_i8x16_i7x16_add_s
const RELAXED_SIMD = [
  1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 1, 253, 15, 65, 2, 253, 15, 65, 3, 253, 15, 253, 147, 2, 11,
];
// a shared memory and i32.atomic.load
const ATOMICS = [1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1, 10, 11, 1, 9, 0, 65, 0, 254, 16, 2, 0, 26, 11];

export function wasmFeatures(): WasmFeatures {
  return {
    simd: validates(SIMD),
    relaxedSimd: validates(RELAXED_SIMD),
    threads: typeof SharedArrayBuffer !== 'undefined' && globalThis.crossOriginIsolated && validates(ATOMICS),
    jspi: 'Suspending' in WebAssembly,
  };
}
