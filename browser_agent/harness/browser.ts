// Starts headless_shell with a page and kills it with its process group. For tests and tables only; the server has its own
// WebDriver launcher. SHOAL_BROWSER_LOG=1 shows what the browser says. The binary: SHOAL_HEADLESS_SHELL, else SHOAL_HOME/tools, else .shoal/tools of the repository.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from './paths';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--remote-debugging-port=0',
  '--enable-features=WebMachineLearningNeuralNetwork',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--disable-gpu-process-crash-limit',
  '--disable-domain-blocking-for-3d-apis',
];
const START_MS = 20_000;

export interface Browser {
  readonly profile: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export function headlessShell(): string | undefined {
  const home = process.env['SHOAL_HOME'] ?? join(repositoryRoot, '.shoal');
  const candidates = [process.env['SHOAL_HEADLESS_SHELL'], join(home, 'tools/headless_shell/headless_shell')];
  return candidates.find((path) => path !== undefined && existsSync(path));
}

export async function startBrowser(
  url: string,
  profile = mkdtempSync(join(tmpdir(), 'shoal-agent-')),
  keepProfile = false,
): Promise<Browser> {
  const binary = headlessShell();
  if (binary === undefined) throw new Error('headless_shell is not there');
  const child = spawn(binary, [...FLAGS, `--user-data-dir=${profile}`, url], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the browser did not start: ${output}`)), START_MS);
    child.once('exit', () => reject(new Error(`the browser ended: ${output}`)));
    child.stderr.on('data', (part: Buffer) => {
      if (process.env['SHOAL_BROWSER_LOG'] !== undefined) process.stderr.write(part);
      if (output.length < 65536) output += part.toString();
      if (!output.includes('DevTools listening')) return;
      clearTimeout(timer);
      resolve();
    });
  });
  const pid = child.pid!;
  // No browser outlives the harness, however it ends.
  const killed = (): boolean => child.exitCode !== null || child.signalCode !== null || process.kill(-pid, 'SIGKILL');
  process.once('exit', killed);
  return {
    profile,
    pid,
    stop: async () => {
      killed();
      await ended;
      process.off('exit', killed);
      if (!keepProfile) rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}
