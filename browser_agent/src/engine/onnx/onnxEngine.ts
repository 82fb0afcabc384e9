// Any ONNX model on one backend through onnxruntime-web. What bare onnxruntime-web accepts is accepted here; where its nodes
// really run is read from its log and reported, never assumed. Instances share one runtime, so calls must not overlap.
import { create } from '@bufbuild/protobuf';
import type * as Ort from 'onnxruntime-web';
import {
  type Load,
  type Loaded,
  LoadedSchema,
  Pooling_Kind as Kind,
  type Pooling,
  type Run,
} from '../../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code } from '../../protocol/outcome';
import type { BlobStore } from '../../store/blobStore';
import type { Engine, RunResult } from '../engine';
import type { Destroyable, MemoryMeter } from '../memory';
import type { Backend } from '../messages';
import { pool } from '../pooling';
import type { ConsoleTap } from './consoleTap';
import { failureOf, isFatal } from './failure';
import { nodesOfModel } from './graph';
import { PlacementReader } from './placement';
import { openRuntime } from './runtime';
import { halfToNumber, inputsOf, type NamedOutput, packed } from './tensors';

const VERBOSE = 0;
const WARNING = 2;

interface Instance {
  readonly session: Ort.InferenceSession;
  readonly graphs: readonly Destroyable[];
}

interface Weights {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[];
  readonly fromCache: boolean;
}

export class OnnxEngine implements Engine {
  readonly #instances = new Map<string, Instance>();
  #runtime: Promise<typeof Ort> | undefined;

  constructor(
    private readonly backend: Backend,
    private readonly threads: number,
    private readonly store: BlobStore,
    private readonly meter: MemoryMeter,
    private readonly tap: ConsoleTap,
    private readonly onDeviceLost: (why: string) => void,
  ) {}

  async preload(): Promise<void> {
    await this.#ort();
  }

  async load(load: Load): Promise<Loaded> {
    if (this.#instances.has(load.instance))
      throw new AgentError(Code.INVALID_ARGUMENT, `instance '${load.instance}' is already loaded`);
    const before = this.meter.wasmBytes + this.meter.gpuBytes;
    const started = performance.now();
    let fetched = started;
    const [weights, ort] = await Promise.all([
      this.#weights(load).finally(() => (fetched = performance.now())),
      this.#ort(),
    ]);
    let reader = new PlacementReader(this.backend);
    const open = (freeDimensions: Readonly<Record<string, number>>): Promise<Ort.InferenceSession> => {
      reader = new PlacementReader(this.backend);
      return ort.InferenceSession.create(weights.model, this.#options(load, weights, freeDimensions));
    };
    this.tap.takeKept();
    this.tap.listener = (line) => reader.line(line);
    try {
      const session = await this.#opened(open, freeDimensionsOf(load));
      this.#instances.set(load.instance, { session, graphs: this.meter.takeGraphs() });
      this.#watchDevice(ort);
    } catch (error) {
      for (const graph of this.meter.takeGraphs()) graph.destroy?.();
      throw classified(error, 'load', this.tap.takeKept());
    } finally {
      this.tap.listener = undefined;
    }
    const placement = reader.result(() => nodesOfModel(weights.model));
    const grown = Math.max(0, this.meter.wasmBytes + this.meter.gpuBytes - before);
    const weightBytes = weights.externalData.reduce(
      (sum, file) => sum + file.data.byteLength,
      weights.model.byteLength,
    );
    return create(LoadedSchema, {
      nodes: { ...placement.nodes },
      heavyElsewhere: [...placement.heavyElsewhere],
      fetchUs: micros(fetched - started),
      buildUs: micros(performance.now() - fetched),
      fromCache: weights.fromCache,
      // Heap that earlier instances freed is used again without growth: an instance never counts less than its weights.
      memoryBytes: BigInt(Math.max(grown, weightBytes)),
    });
  }

  async unload(instance: string): Promise<void> {
    const { session, graphs } = this.#instance(instance);
    this.#instances.delete(instance);
    await session.release();
    for (const graph of graphs) graph.destroy?.();
  }

  async run(run: Run, payload: Uint8Array): Promise<RunResult> {
    const { session } = this.#instance(run.instance);
    const ort = await this.#ort();
    const feeds = inputsOf(ort, run.inputs, payload);
    const pooling = run.pooling !== undefined && run.pooling.kind !== Kind.NONE ? run.pooling : undefined;
    const wanted = pooling === undefined ? [...run.outputs] : [pooling.output];
    for (const name of wanted) {
      if (!session.outputNames.includes(name))
        throw new AgentError(
          Code.INVALID_ARGUMENT,
          `the graph has no output '${name}', it has ${session.outputNames.join(', ')}`,
        );
    }
    for (const name of Object.keys(feeds)) {
      if (!session.inputNames.includes(name))
        throw new AgentError(
          Code.INVALID_ARGUMENT,
          `the graph has no input '${name}', it has ${session.inputNames.join(', ')}`,
        );
    }
    this.tap.takeKept();
    let computeUs = 0;
    let outputs: NamedOutput[];
    try {
      const options = { logSeverityLevel: WARNING } as const;
      const started = performance.now();
      const results =
        wanted.length === 0 ? await session.run(feeds, options) : await session.run(feeds, wanted, options);
      computeUs = Math.round((performance.now() - started) * 1000);
      outputs = Object.entries(results).map(([name, tensor]) => ({
        name,
        type: tensor.type,
        dims: tensor.dims,
        data: tensor.data,
      }));
    } catch (error) {
      throw classified(error, 'run', this.tap.takeKept());
    }
    if (pooling !== undefined) outputs = [pooledOutput(pooling, outputs[0]!, feeds)];
    return { ...packed(outputs), computeUs };
  }

  // Fixed dimensions can make WebNN's provider fail on a graph (an If with subgraphs) that it opens with open ones, on fewer
  // nodes. What bare onnxruntime-web runs is not refused, so the second try is without them; the placement tells.
  async #opened(
    open: (freeDimensions: Readonly<Record<string, number>>) => Promise<Ort.InferenceSession>,
    freeDimensions: Readonly<Record<string, number>>,
  ): Promise<Ort.InferenceSession> {
    try {
      return await open(freeDimensions);
    } catch (error) {
      if (Object.keys(freeDimensions).length === 0 || isFatal(error)) throw error;
      for (const graph of this.meter.takeGraphs()) graph.destroy?.();
      console.warn(`opened again without fixed dimensions: ${String(error)}`);
      return open({});
    }
  }

  #options(
    load: Load,
    weights: Weights,
    freeDimensions: Readonly<Record<string, number>>,
  ): Ort.InferenceSession.SessionOptions {
    return {
      executionProviders: [this.#provider(load, weights)],
      ...(Object.keys(freeDimensions).length > 0 && { freeDimensionOverrides: freeDimensions }),
      ...(weights.externalData.length > 0 && { externalData: weights.externalData }),
      logSeverityLevel: VERBOSE,
    };
  }

  #provider(load: Load, weights: Weights): Ort.InferenceSession.ExecutionProviderConfig {
    if (this.backend === 'wasm') return 'wasm';
    if (this.backend === 'webnn') return { name: 'webnn', deviceType: deviceTypeOf(load) };
    // WGSL promises 2^-11 of absolute error for sin and cos, and that only within [-pi, pi]: rotary positions would cost every
    // decoder three digits (measured 2e-3 on logits). Their tensors are small.
    const angles = nodesOfModel(weights.model).filter(
      ({ operator, name }) => (operator === 'Sin' || operator === 'Cos') && name !== '',
    );
    return { name: 'webgpu', ...(angles.length > 0 && { forceCpuNodeNames: angles.map(({ name }) => name) }) };
  }

  #ort(): Promise<typeof Ort> {
    this.#runtime ??= openRuntime(this.backend, this.threads).catch((error: unknown) => {
      this.#runtime = undefined;
      throw error;
    });
    return this.#runtime;
  }

  async #weights(load: Load): Promise<Weights> {
    const model = await this.store.get(load);
    const externalData: { path: string; data: Uint8Array }[] = [];
    let fromCache = model.fromCache;
    for (const file of load.external) {
      const blob = await this.store.get(file);
      fromCache &&= blob.fromCache;
      externalData.push({ path: file.path, data: blob.bytes });
    }
    return { model: model.bytes, externalData, fromCache };
  }

  #instance(name: string): Instance {
    const instance = this.#instances.get(name);
    if (instance === undefined)
      throw new AgentError(Code.NOT_FOUND, `instance '${name}' is not loaded on ${this.backend}`);
    return instance;
  }

  #watched: GPUDevice | undefined;

  #watchDevice(ort: typeof Ort): void {
    if (this.backend !== 'webgpu') return;
    void Promise.resolve(ort.env.webgpu.device as Promise<GPUDevice> | GPUDevice | undefined).then((device) => {
      if (device === undefined || device === this.#watched) return;
      this.#watched = device;
      // onnxruntime destroys its device with its last session and makes a new one for the next.
      void device.lost.then(
        (info) => info.reason !== 'destroyed' && this.onDeviceLost(`${info.reason}: ${info.message}`),
      );
    });
  }
}

// WebNN has no dimensions of size 0 (onnxruntime aborts on some): such a one stays open, and its nodes go elsewhere.
function freeDimensionsOf(load: Load): Record<string, number> {
  return Object.fromEntries(
    Object.entries(load.freeDimensions)
      .filter(([, size]) => size > 0n)
      .map(([name, size]) => [name, Number(size)]),
  );
}

function deviceTypeOf(load: Load): 'cpu' | 'gpu' | 'npu' {
  const device = load.webnnDevice || 'cpu';
  if (device === 'cpu' || device === 'gpu' || device === 'npu') return device;
  throw new AgentError(Code.INVALID_ARGUMENT, `webnn_device '${device}': cpu, gpu or npu`);
}

function pooledOutput(pooling: Pooling, states: NamedOutput, feeds: Readonly<Record<string, Ort.Tensor>>): NamedOutput {
  const mask = feeds[pooling.mask];
  if (mask === undefined)
    throw new AgentError(Code.INVALID_ARGUMENT, `pooling needs the input '${pooling.mask}' as its mask`);
  if (states.type !== 'float32' && states.type !== 'float16')
    throw new AgentError(Code.INVALID_ARGUMENT, `pooling needs float token states, '${states.name}' is ${states.type}`);
  // Half tensors are Uint16Array, or Float16Array where the browser has it: the bits are the same.
  const view = states.data as Float32Array | Uint16Array;
  const data =
    states.type === 'float32'
      ? (view as Float32Array)
      : Float32Array.from(new Uint16Array(view.buffer, view.byteOffset, view.length), halfToNumber);
  const embedding = pool(
    pooling.kind,
    pooling.normalize,
    { data, shape: states.dims },
    mask.data as ArrayLike<number | bigint>,
  );
  return { name: 'embedding', type: 'float32', dims: embedding.shape, data: embedding.data };
}

// Keeps the thrown value as the cause: the worker asks it whether the wasm instance is still usable.
function classified(thrown: unknown, phase: 'load' | 'run', log: readonly string[]): AgentError {
  const error = failureOf(thrown, phase, log);
  error.cause = thrown;
  return error;
}

const micros = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1000));
