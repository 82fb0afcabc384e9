// The server's side of the agent link, for tests: serves dist under /agent/ with the production headers, takes agents on
// /agent/ws, and gives out blobs by hash.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { WebSocketServer } from 'ws';
import { Agent } from './agent';
import { dist } from './paths';

// onnxruntime-web needs wasm-unsafe-eval, and nothing more, with all three backends.
export const HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
};
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};

export interface Blob {
  readonly url: string;
  readonly sha256: string;
  readonly byteSize: bigint;
}

export class AgentServer {
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #waiting: ((agent: Agent) => void)[] = [];
  readonly #arrived: Agent[] = [];
  readonly blobRequests: string[] = [];
  readonly fileRequests: string[] = [];

  private constructor(
    private readonly http: Server,
    private readonly sockets: WebSocketServer,
  ) {}

  static async start(): Promise<AgentServer> {
    const http = createServer();
    const sockets = new WebSocketServer({
      server: http,
      path: '/agent/ws',
      maxPayload: 1024 * 1024,
      handleProtocols: (offered) => (offered.has('shoal.agent.v1') ? 'shoal.agent.v1' : false),
    });
    const server = new AgentServer(http, sockets);
    http.on('request', (request, response) => {
      const path = new URL(request.url ?? '/', 'http://host').pathname;
      const body = server.#bodyOf(path);
      if (body === undefined) {
        response.writeHead(404, HEADERS).end();
        return;
      }
      response.writeHead(200, {
        ...HEADERS,
        'Content-Type':
          TYPES[extname(path === '/agent/' ? '.html' : path)] ??
          (path === '/agent/' ? TYPES['.html']! : 'application/octet-stream'),
      });
      response.end(body);
    });
    sockets.on('connection', (socket) => {
      const agent = new Agent(socket);
      const take = server.#waiting.shift();
      if (take === undefined) server.#arrived.push(agent);
      else take(agent);
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return server;
  }

  pageUrl(backends: string, slot = 'headless_shell/0', token = 'test-token'): string {
    const { port } = this.http.address() as AddressInfo;
    return `http://localhost:${port}/agent/?slot=${encodeURIComponent(slot)}&token=${token}&backends=${backends}`;
  }

  // The next agent that connects (or has connected and was not taken yet).
  agent(): Promise<Agent> {
    const agent = this.#arrived.shift();
    return agent === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(agent);
  }

  addBlob(bytes: Uint8Array): Blob {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.#blobs.set(sha256, bytes);
    return { url: `/agent/blobs/${sha256}`, sha256, byteSize: BigInt(bytes.byteLength) };
  }

  // Serves other bytes under a name than those it names.
  corruptBlob(sha256: string, bytes: Uint8Array): void {
    this.#blobs.set(sha256, bytes);
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets.clients) socket.terminate();
    this.sockets.close();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  #bodyOf(path: string): Uint8Array | undefined {
    if (path.startsWith('/agent/blobs/')) {
      const hash = path.slice('/agent/blobs/'.length);
      this.blobRequests.push(hash);
      return this.#blobs.get(hash);
    }
    if (!path.startsWith('/agent/')) return undefined;
    this.fileRequests.push(path);
    const file = normalize(join(dist, path === '/agent/' ? 'index.html' : path.slice('/agent/'.length)));
    return file.startsWith(dist) && existsSync(file) ? readFileSync(file) : undefined;
  }
}
