import { checkProduct, operands } from '../../../browser_agent/src/backend/benchmark';
import { benchmarkWasm } from '../../../browser_agent/src/backend/wasm/benchmark';
import { matmulModule } from '../../../browser_agent/src/backend/wasm/matmulModule';

test('the hand-assembled module is valid and multiplies rightly', async () => {
  expect(WebAssembly.validate(matmulModule())).toBe(true);
  const rating = await benchmarkWasm(); // throws on a wrong product
  expect(rating.gflops).toBeGreaterThan(0.1);
});

test('a wrong product is noticed', () => {
  const { a, b } = operands();
  expect(() => checkProduct(a, b, new Float32Array(a.length).fill(1e6))).toThrow('wrong product');
});
