// Runs a WASI program of the build in headless_shell, as tests/engine/wasm/run.mjs does in Node.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';
import { startBrowser } from './browser';
import { repositoryRoot } from './paths';

export interface Ended {
  readonly status: number;
  readonly output: string;
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const part of request) text += String(part);
  return text;
};

export async function runProgram(file: string, args: readonly string[] = []): Promise<Ended> {
  const page = await build({
    entryPoints: [join(repositoryRoot, 'browser_agent/harness/wasiPage.ts')],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'warning',
  });
  const files: Readonly<Record<string, readonly [string, Uint8Array | string]>> = {
    '/': ['text/html', '<!doctype html><script type="module" src="/page.js"></script>'],
    '/page.js': ['text/javascript', page.outputFiles[0]!.contents],
    '/program.wasm': ['application/wasm', readFileSync(file)],
  };
  let end: (ended: Ended) => void;
  const ended = new Promise<Ended>((resolve) => (end = resolve));
  const server = createServer((request, response) => {
    // Isolated, so that clocks are fine.
    const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
    if (request.method === 'POST') {
      void bodyOf(request).then((text) => {
        response.writeHead(204, headers).end();
        end(JSON.parse(text) as Ended);
      });
      return;
    }
    const found = files[new URL(request.url!, 'http://host').pathname];
    response.writeHead(found === undefined ? 404 : 200, { ...headers, 'Content-Type': found?.[0] ?? 'text/plain' });
    response.end(found?.[1]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const query = new URLSearchParams(args.map((argument) => ['argument', argument]));
  const browser = await startBrowser(`http://localhost:${(server.address() as AddressInfo).port}/?${query}`);
  try {
    return await ended;
  } finally {
    await browser.stop();
    server.close();
    server.closeAllConnections();
  }
}
