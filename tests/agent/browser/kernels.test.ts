// The C++ tests of engine/ as WASM in headless_shell: the same cases as natively and in Node.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { headlessShell } from '../../../browser_agent/harness/browser';
import { repositoryRoot } from '../../../browser_agent/harness/paths';
import { runProgram } from '../../../browser_agent/harness/wasiProgram';

const folder = process.env['SHOAL_ENGINE_WASM'] ?? join(repositoryRoot, 'build/release');

describe.each(['simd128', 'relaxed_simd'])('the kernels for %s in a browser', (variant) => {
  const program = join(folder, `engine_tests_${variant}.wasm`);
  it.skipIf(headlessShell() === undefined || !existsSync(program))(
    'pass the cases that they pass natively',
    async () => {
      const { status, output } = await runProgram(program);
      expect(output).toContain('LinearAtRealShapes');
      expect(output).toMatch(/\[ {2}PASSED {2}\] \d+ tests/);
      expect(status, output.slice(-2000)).toBe(0);
    },
    120_000,
  );
});
