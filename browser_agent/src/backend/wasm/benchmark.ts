// Rates wasm: SIMD, one thread.
import type { Benchmark } from '../../generated/shoal/agent/v1/agent_pb';
import { checkProduct, operands, PRODUCT_SIZE, rated, REPEATS } from '../benchmark';
import { matmulModule } from './matmulModule';

export async function benchmarkWasm(): Promise<Benchmark> {
  const { instance } = await WebAssembly.instantiate(matmulModule());
  const memory = instance.exports['memory'] as WebAssembly.Memory;
  const multiply = instance.exports['multiply'] as (a: number, b: number, c: number, n: number) => void;
  const { a, b } = operands();
  const view = new Float32Array(memory.buffer);
  view.set(a, 0);
  view.set(b, a.length);
  const milliseconds: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const start = performance.now();
    multiply(0, a.byteLength, 2 * a.byteLength, PRODUCT_SIZE);
    milliseconds.push(performance.now() - start);
  }
  checkProduct(a, b, view.subarray(2 * a.length, 3 * a.length));
  return rated('wasm', milliseconds);
}
