// The probe's product: one square f32 matrix product, timed and its result checked. The same size on every backend, but for
// an adapter that would need too long for it (software): its rate is taken from the small size.
import { create } from '@bufbuild/protobuf';
import { type Benchmark, BenchmarkSchema } from '../generated/shoal/agent/v1/agent_pb';
import type { Backend } from '../engine/messages';

export const PRODUCT_SIZE = 256;
export const SMALL_SIZE = 64;
export const REPEATS = 5;

// Small whole numbers: every order of summation gives the same f32, so the check is exact.
export function operands(size = PRODUCT_SIZE): {
  readonly a: Float32Array<ArrayBuffer>;
  readonly b: Float32Array<ArrayBuffer>;
} {
  const count = size * size;
  const a = new Float32Array(count);
  const b = new Float32Array(count);
  for (let at = 0; at < count; at++) {
    a[at] = (at % 7) - 3;
    b[at] = (at % 5) - 2;
  }
  return { a, b };
}

// Throws when sampled elements of c differ from a * b.
export function checkProduct(a: Float32Array, b: Float32Array, c: Float32Array): void {
  const size = Math.sqrt(a.length);
  for (let sample = 0; sample < 64; sample++) {
    const row = (sample * 37) % size;
    const column = (sample * 101) % size;
    let sum = 0;
    for (let at = 0; at < size; at++) sum += a[row * size + at]! * b[at * size + column]!;
    const got = c[row * size + column];
    if (got !== sum) throw new Error(`wrong product: element [${row}, ${column}] is ${got}, not ${sum}`);
  }
}

export function rated(backend: Backend, milliseconds: readonly number[], size = PRODUCT_SIZE): Benchmark {
  const median = [...milliseconds].sort((left, right) => left - right)[milliseconds.length >> 1]!;
  return create(BenchmarkSchema, { backend, milliseconds: median, gflops: (2 * size ** 3) / (median * 1e6) });
}

export function unrated(backend: Backend, whyNot: string): Benchmark {
  return create(BenchmarkSchema, { backend, whyNot });
}
