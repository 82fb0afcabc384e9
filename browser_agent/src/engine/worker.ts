// The engine worker: one backend, named by the worker's own name. It does one work at a time, in the order of arrival (the
// link keeps the queue), and beats twice a second whenever it is not inside a computation.
import { probeWasm } from '../backend/wasm/probe';
import { probeWebGpu } from '../backend/webgpu/probe';
import { probeWebNn } from '../backend/webnn/probe';
import { AgentError, Code, describe } from '../protocol/outcome';
import { answerOf, type EndFields, type Packed, runOf } from '../protocol/runFrames';
import { BlobStore } from '../store/blobStore';
import type { Engine } from './engine';
import { MemoryMeter } from './memory';
import type { Backend, FromEngine, ToEngine, WorkMessage } from './messages';
import { ConsoleTap } from './onnx/consoleTap';
import { isFatal } from './onnx/failure';
import { OnnxEngine } from './onnx/onnxEngine';

const BEAT_MS = 500;

const scope = self as unknown as DedicatedWorkerGlobalScope;
const backend = scope.name as Backend;
const meter = new MemoryMeter();
const tap = new ConsoleTap();
const store = new BlobStore();
meter.install();
tap.install();

const post = (message: FromEngine, transfer: Transferable[] = []): void => scope.postMessage(message, transfer);
const fatal = (code: Code, message: string, detail: string): void =>
  post({ kind: 'fatal', error: new AgentError(code, message, detail).toPlain() });

let engine: Engine = open(1);

function open(threads: number): Engine {
  return new OnnxEngine(backend, threads, store, meter, tap, (why) =>
    fatal(Code.DEVICE_LOST, `the ${backend} device was lost`, why),
  );
}

const PROBES = { wasm: probeWasm, webgpu: probeWebGpu, webnn: probeWebNn } as const;

async function handle(message: ToEngine): Promise<void> {
  switch (message.kind) {
    case 'probe':
      return post({ kind: 'probed', probe: await PROBES[backend]() });
    case 'configure':
      engine = open(message.threads);
      // A failure shows again, typed, at the first load.
      if (message.preload) void engine.preload().catch((error: unknown) => console.warn(describe(error)));
      return;
    default:
      return work(message);
  }
}

function answer(workId: bigint, fields: EndFields, output?: Packed): void {
  const frames = answerOf(workId, fields, output);
  post(
    { kind: 'end', workId, frames },
    frames.map((frame) => frame.buffer),
  );
}

async function work(message: WorkMessage & { readonly queueUs: number }): Promise<void> {
  const { workId } = message;
  const queueUs = BigInt(message.queueUs);
  try {
    switch (message.kind) {
      case 'load':
        answer(workId, { computeUs: 0n, queueUs, loaded: await engine.load(message.load) });
        return beat();
      case 'unload':
        await engine.unload(message.instance);
        return answer(workId, { computeUs: 0n, queueUs });
      case 'run': {
        const { run, payload } = runOf(message.frames);
        const result = await engine.run(run, payload);
        return answer(workId, { computeUs: BigInt(result.computeUs), queueUs }, result);
      }
    }
  } catch (error) {
    const failed = error instanceof AgentError ? error : new AgentError(Code.INTERNAL, String(error), describe(error));
    if (isFatal(failed.cause ?? error)) return post({ kind: 'fatal', error: failed.toPlain() });
    post({ kind: 'error', workId, error: failed.toPlain() });
  }
}

function beat(): void {
  post({
    kind: 'beat',
    memory: { wasmBytes: meter.wasmBytes, gpuBytes: meter.gpuBytes, cacheBytes: store.cacheBytes },
  });
}

let last: Promise<void> = Promise.resolve();
scope.onmessage = (event: MessageEvent<ToEngine>) => {
  last = last.then(() => handle(event.data));
};
setInterval(beat, BEAT_MS);
beat();
