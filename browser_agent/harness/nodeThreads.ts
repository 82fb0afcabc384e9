// Threads of the plan engine in Node: worker_threads instead of the browser's workers.
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import type { StartThread } from '../src/engine/plan/threads';
import { repositoryRoot } from './paths';

let code: string | undefined;

export const startNodeThread: StartThread = (start) => {
  code ??= buildSync({
    stdin: {
      contents: `
        import { parentPort } from 'node:worker_threads';
        import { serveThread } from './threads';
        parentPort.once('message', (start) => serveThread(start, () => parentPort.postMessage('ready')));`,
      resolveDir: join(repositoryRoot, 'browser_agent/src/engine/plan'),
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    write: false,
    logLevel: 'warning',
  }).outputFiles[0]!.text;
  const worker = new Worker(code, { eval: true });
  const ready = new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
  worker.postMessage(start);
  return { ready, end: () => void worker.terminate() };
};
