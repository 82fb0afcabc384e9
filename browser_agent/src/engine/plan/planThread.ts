// A thread's worker: one message, the ThreadStart; one answer, when it is there.
import { serveThread, type ThreadStart } from './threads';

const scope = self as unknown as DedicatedWorkerGlobalScope;
scope.onmessage = ({ data }: MessageEvent<ThreadStart>) => {
  // Without a handler of its own a rejection would not reach the engine's worker.
  serveThread(data, () => scope.postMessage('ready')).catch((error: unknown) =>
    setTimeout(() => {
      throw error;
    }),
  );
};
