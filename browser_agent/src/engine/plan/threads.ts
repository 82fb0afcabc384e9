// Threads of a plan: workers that share its memory, each with an instance and a stack of its own. They run tasks that the
// engine's worker hands over inside WASM, and hear nothing else until they are ended.
import { AgentError, Code } from '../../protocol/outcome';
import { instantiateThread } from './module';

export interface ThreadStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly pool: number;
  readonly lane: number;
  // The top of its stack.
  readonly stack: number;
}

export interface Thread {
  // Rejected when the thread cannot be had.
  readonly ready: Promise<void>;
  end(): void;
}

export type StartThread = (start: ThreadStart) => Thread;

// The body of a thread. A trap is told inside the shared memory: whoever waits for the task traps then, too.
export async function serveThread(
  { module, memory, pool, lane, stack }: ThreadStart,
  ready: () => void,
): Promise<void> {
  const exports = await instantiateThread(module, memory);
  exports.__stack_pointer.value = stack;
  ready();
  try {
    exports.shoal_thread_serve(pool, lane);
  } catch (error) {
    exports.shoal_thread_trapped(pool);
    throw error;
  }
}

export const startWorker: StartThread = (start) => {
  const worker = new Worker(new URL('planThread.js', location.href), { type: 'module', name: 'plan thread' });
  const ready = new Promise<void>((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) =>
      reject(new AgentError(Code.UNAVAILABLE, 'a thread of the plan engine did not start', event.message));
  });
  worker.postMessage(start);
  return { ready, end: () => worker.terminate() };
};
