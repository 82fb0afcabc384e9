import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// The tests mirror the sources in tests/agent; they use vitest's globals because they live outside this package.
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    globals: true,
    include: ['tests/agent/**/*.test.ts'],
    // Browsers of several files at once would disturb each other's times.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
