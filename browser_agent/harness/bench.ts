// A server and a browser with a welcomed agent, for one test file; skipped, with the reason, where a part is missing.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from './agent';
import { type Browser, headlessShell, startBrowser } from './browser';
import { dist } from './paths';
import { AgentServer, type Blob } from './server';

export function whyNoBrowser(): string | undefined {
  if (headlessShell() === undefined) return 'headless_shell is not there';
  if (!existsSync(join(dist, 'build.json'))) return 'browser_agent/dist is not built';
  return undefined;
}

export interface Bench {
  readonly server: AgentServer;
  readonly browser: Browser;
  agent: Agent;
  // Loads the model and gives the instance's name.
  load(backend: string, model: Uint8Array, freeDimensions?: Record<string, bigint>): Promise<string>;
  // After the connection was closed: the same page, started afresh.
  reconnected(): Promise<Agent>;
  stop(): Promise<void>;
}

export async function startBench(backends: string, threads = 2): Promise<Bench> {
  const server = await AgentServer.start();
  const browser = await startBrowser(server.pageUrl(backends));
  const agent = await server.agent();
  await agent.hello;
  agent.welcome(threads);
  let instances = 0;
  const bench: Bench = {
    server,
    browser,
    agent,
    load: async (backend, model, freeDimensions = {}) => {
      const instance = `instance-${instances++}`;
      const blob: Blob = server.addBlob(model);
      const { error } = await bench.agent.load({ instance, backend, ...blob, freeDimensions });
      if (error !== undefined) throw new Error(`load: ${error.code} ${error.message}\n${error.detail}`);
      return instance;
    },
    reconnected: async () => {
      bench.agent = await server.agent();
      await bench.agent.hello;
      bench.agent.welcome(threads);
      return bench.agent;
    },
    stop: async () => {
      await browser.stop();
      await server.stop();
    },
  };
  return bench;
}
