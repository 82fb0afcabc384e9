// The engine worker: one backend, named by the worker's own name. It does one work at a time, in the order of arrival (the
// link keeps the queue), but for runs that generate: those begin beside what runs. It beats twice a second whenever it is not
// inside a computation.
import { wasmFeatures } from '../backend/wasm/features';
import { probeWasm } from '../backend/wasm/probe';
import { probeWebGpu } from '../backend/webgpu/probe';
import { probeWebNn } from '../backend/webnn/probe';
import { AgentError, Code, describe } from '../protocol/outcome';
import { decodeFrame } from '../protocol/frame';
import { answerOf, type EndFields, type Packed, partOf, runOf } from '../protocol/runFrames';
import { BlobStore } from '../store/blobStore';
import type { Engine } from './engine';
import { Engines } from './engines';
import { MemoryMeter } from './memory';
import type { DebugRequest, Run } from '../generated/shoal/agent/v1/agent_pb';
import type { Backend, EngineDebug, FromEngine, Part, ToEngine, WorkMessage } from './messages';
import { ConsoleTap } from './onnx/consoleTap';
import { isFatal } from './onnx/failure';
import { OnnxEngine } from './onnx/onnxEngine';
import { OwnSocket } from './ownSocket';
import { compileVariant, variantOf } from './plan/module';
import { PlanEngine } from './plan/planEngine';
import { startWorker } from './plan/threads';
import { ShaderLog } from './shaderLog';
import { type OperationFields, OperationTrace } from './trace';
import { WorkerRun } from './workerRun';

const BEAT_MS = 500;

const scope = self as unknown as DedicatedWorkerGlobalScope;
const backend = scope.name as Backend;
const meter = new MemoryMeter();
const tap = new ConsoleTap();
const store = new BlobStore();
const trace = new OperationTrace();
const shaderLog = new ShaderLog();
const own = new OwnSocket(backend, {
  message: (bytes, gotOn) => {
    const frame = decodeFrame(bytes);
    if (!frame.ok) return fatal(Code.INTERNAL, frame.error.message, '');
    const { envelope, raw } = frame.value;
    const { workId, body } = envelope;
    if (body.case !== 'run') return fatal(Code.INTERNAL, `'${String(body.case)}' is not for an engine`, '');
    const arrived = performance.now();
    const generates = body.value.generate === undefined ? undefined : body.value.instance;
    post({ kind: 'took', workId, gotOn, generates });
    const direct = { gotOn, run: body.value, payload: raw };
    begin(workId, gotOn);
    const done = last.then(() =>
      work({ kind: 'run', workId, frames: [bytes], queueUs: Math.round((performance.now() - arrived) * 1000) }, direct),
    );
    if (generates === undefined) last = done;
  },
  cut: (number) => post({ kind: 'cut', number }),
});
meter.install();
shaderLog.install();
tap.install();

const post = (message: FromEngine, transfer: Transferable[] = []): void => scope.postMessage(message, transfer);
const fatal = (code: Code, message: string, detail: string): void =>
  post({ kind: 'fatal', error: new AgentError(code, message, detail).toPlain() });

// A run that came on the engine's own connection.
interface Direct {
  readonly gotOn: number;
  readonly run: Run;
  readonly payload: Uint8Array;
}

let engine: Engine = open(1);

function open(threads: number): Engine {
  const onnx = new OnnxEngine(backend, threads, store, meter, tap, (why) =>
    fatal(Code.DEVICE_LOST, `the ${backend} device was lost`, why),
  );
  const features = wasmFeatures();
  const isThreaded = features.threads && threads > 1;
  const plan = new PlanEngine({
    store,
    compile: async () => compileVariant(variantOf(features), isThreaded),
    threads: isThreaded ? { count: threads, start: startWorker } : undefined,
    forget: (memory) => meter.forget(memory),
  });
  return new Engines(backend, onnx, backend === 'wasm' ? plan : undefined);
}

const running = new Map<bigint, WorkerRun>();

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
    case 'attach':
      return own.attach(message.attachment);
    case 'cancel':
    case 'mask':
      return;
    case 'debug':
      return post({ kind: 'debugged', debugId: message.debugId, debug: debug(message.request) });
    default:
      return work(message);
  }
}

function debug(request: DebugRequest): EngineDebug {
  if (request.setTrace) trace.start(request.traceMs, performance.now());
  const notes: string[] = [];
  if (request.shaders && shaderLog.shaders.length === 0)
    notes.push(`${backend}: the engine gave no shader to the browser`);
  if (request.shaders && shaderLog.left > 0) notes.push(`${backend}: ${shaderLog.left} more shaders were not kept`);
  return {
    operations: request.operations ? trace.kept : [],
    shaders: request.shaders ? shaderLog.shaders.map((shader) => ({ ...shader, backend })) : [],
    notes,
  };
}

// Nothing unless somebody traces.
function traced(message: WorkMessage & { readonly queueUs: number }): (end: Partial<OperationFields>) => void {
  const began = performance.now();
  if (!trace.isOn(began)) return () => undefined;
  const sizeOf = (frames: readonly Uint8Array[]): number => frames.reduce((sum, frame) => sum + frame.byteLength, 0);
  const operation = {
    unixMs: BigInt(Date.now()),
    backend,
    kind: message.kind,
    instance: message.kind === 'load' ? message.load.instance : message.kind === 'unload' ? message.instance : '',
    queueUs: BigInt(message.queueUs),
    inputBytes: BigInt(message.kind === 'run' ? sizeOf(message.frames) : 0),
  };
  return (end) =>
    trace.add({
      computeUs: 0n,
      outputBytes: 0n,
      error: '',
      ...operation,
      ...end,
      totalUs: BigInt(Math.round((performance.now() - began) * 1000)),
    });
}

function answer(workId: bigint, fields: EndFields, output?: Packed, gotOn?: number): void {
  tellAll();
  // A reload after a death has an id below zero and answers to nobody.
  const frames = workId > 0n ? answerOf(workId, fields, output) : [];
  const sentOn = output === undefined ? undefined : own.send(frames);
  post(
    { kind: 'end', workId, frames, sentOn, gotOn },
    frames.map((frame) => frame.buffer),
  );
}

// Parts that are made at once are told at once.
let parts: Part[] = [];

function tell(part: Part): void {
  if (parts.length === 0) queueMicrotask(tellAll);
  parts.push(part);
}

function tellAll(): void {
  if (parts.length === 0) return;
  const transfer = parts.flatMap(({ frames }) => frames.map((frame) => frame.buffer));
  post({ kind: 'outputs', parts }, transfer);
  parts = [];
}

// It can be cancelled from now on.
function begin(workId: bigint, gotOn: number | undefined): WorkerRun {
  const run = running.get(workId) ?? new WorkerRun((part) => tell({ workId, frames: partOf(workId, part), gotOn }));
  running.set(workId, run);
  return run;
}

async function work(message: WorkMessage & { readonly queueUs: number }, direct?: Direct): Promise<void> {
  const { workId } = message;
  const queueUs = BigInt(message.queueUs);
  const note = traced(message);
  try {
    switch (message.kind) {
      case 'load':
        answer(workId, { computeUs: 0n, queueUs, loaded: await engine.load(message.load) });
        note({});
        return beat();
      case 'unload':
        await engine.unload(message.instance);
        note({});
        return answer(workId, { computeUs: 0n, queueUs });
      case 'run': {
        const { run, payload } = direct ?? runOf(message.frames);
        const control = begin(workId, direct?.gotOn);
        control.throwIfCancelled();
        const result = await engine.run(run, payload, control);
        note({
          instance: run.instance,
          computeUs: BigInt(result.computeUs),
          outputBytes: BigInt(result.payload.byteLength),
        });
        running.delete(workId);
        const fields = { computeUs: BigInt(result.computeUs), queueUs, ...result.finish };
        // An end follows its outputs on their way.
        return answer(workId, fields, result.finish === undefined ? result : undefined, direct?.gotOn);
      }
    }
  } catch (error) {
    running.delete(workId);
    tellAll();
    const failed = error instanceof AgentError ? error : new AgentError(Code.INTERNAL, String(error), describe(error));
    note({ error: failed.message.slice(0, 200) });
    if (isFatal(failed.cause ?? error)) return post({ kind: 'fatal', error: failed.toPlain() });
    post({ kind: 'error', workId, error: failed.toPlain(), gotOn: direct?.gotOn });
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
  const message = event.data;
  // Not behind the run that it is for.
  if (message.kind === 'cancel') return running.get(message.workId)?.cancel();
  if (message.kind === 'mask') return running.get(message.workId)?.mask(message.mask);
  if (message.kind === 'run' && message.generates !== undefined) {
    begin(message.workId, undefined);
    return void last.then(() => work(message));
  }
  last = last.then(() => handle(message));
};
setInterval(beat, BEAT_MS);
beat();
