// Shoal's own engine: plans with their weights, on WASM. Each plan has an instance and a memory of its own, into
// which its weights are streamed once and where they are used in place.
import { create } from '@bufbuild/protobuf';
import { type Load, type Loaded, LoadedSchema, type Run } from '../../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code } from '../../protocol/outcome';
import type { BlobName, Place } from '../../store/blobStore';
import type { Engine, RunControl, RunResult } from '../engine';
import { encode } from './encode';
import { Generations } from './generations';
import { DEFAULT_KV_BITS, KV_BITS, PlanSession, SYMBOLS } from './session';
import type { StartThread } from './threads';

// What an engine needs of the store.
export interface WeightStore {
  get(blob: BlobName): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly fromCache: boolean }>;
  into(blob: BlobName, place: Place): Promise<{ readonly fromCache: boolean }>;
}

export interface PlanEngineParts {
  readonly store: WeightStore;
  readonly compile: () => Promise<WebAssembly.Module>;
  // A memory that is not used any more.
  readonly forget: (memory: WebAssembly.Memory) => void;
  // With a threaded module: how many a plan runs on, and how one is made.
  readonly threads?: { readonly count: number; readonly start: StartThread } | undefined;
  // Bounds what one plan takes; without it 4 GiB.
  readonly mostBytes?: number;
}

interface Instance {
  readonly session: PlanSession;
  readonly generations: Generations;
  readonly limits: Readonly<Record<string, number>>;
}

const MOST_EXTENT = 2 ** 24;

export class PlanEngine implements Engine {
  readonly #instances = new Map<string, Instance>();
  #module: Promise<WebAssembly.Module> | undefined;

  constructor(private readonly parts: PlanEngineParts) {}

  async preload(): Promise<void> {
    await this.#compiled();
  }

  async load(load: Load): Promise<Loaded> {
    if (this.#instances.has(load.instance))
      throw new AgentError(Code.INVALID_ARGUMENT, `instance '${load.instance}' is already loaded`);
    const limits = limitsOf(load);
    const started = performance.now();
    const [plan, module] = await Promise.all([this.parts.store.get(load), this.#compiled()]);
    const session = await PlanSession.start(module, this.parts.mostBytes);
    try {
      session.open(plan.bytes);
      const { threads } = this.parts;
      const [shardsFromCache] = await Promise.all([
        this.#stream(load, session),
        threads === undefined ? undefined : session.startThreads(threads.count, threads.start),
      ]);
      const fromCache = shardsFromCache && plan.fromCache;
      const fetched = performance.now();
      session.prepare(limits);
      this.#instances.set(load.instance, { session, generations: new Generations(session), limits });
      return create(LoadedSchema, {
        nodes: { wasm: session.opCount },
        fetchUs: micros(fetched - started),
        buildUs: micros(performance.now() - fetched),
        fromCache,
        memoryBytes: BigInt(session.memory.buffer.byteLength),
      });
    } catch (error) {
      this.#discard(session);
      throw error;
    }
  }

  async unload(instance: string): Promise<void> {
    const { session, generations } = this.#instance(instance);
    this.#instances.delete(instance);
    generations.close();
    this.#discard(session);
  }

  async run(run: Run, payload: Uint8Array, control: RunControl): Promise<RunResult> {
    const { session, generations, limits } = this.#instance(run.instance);
    if (run.generate !== undefined) return generations.run(run.generate, run, payload, control);
    const signature = session.signature('decode') === undefined ? session.signature('encode') : undefined;
    if (signature === undefined)
      throw new AgentError(Code.INVALID_ARGUMENT, 'the plan is no encoder: its runs ask for generation');
    return encode(session, signature, { rows: limits['B']!, tokens: limits['T']! }, run, payload, control);
  }

  // Takes the memory of all shards, then fills it. True when all came from the browser's store.
  async #stream(load: Load, session: PlanSession): Promise<boolean> {
    const shards = session.shards;
    if (shards.length !== load.external.length)
      throw new AgentError(
        Code.INVALID_ARGUMENT,
        `the plan has ${shards.length} shards, the load names ${load.external.length}`,
      );
    shards.forEach(({ sha256, bytes }, index) => {
      const file = load.external[index]!;
      if (file.sha256 !== sha256 || file.byteSize !== BigInt(bytes))
        throw new AgentError(
          Code.INVALID_ARGUMENT,
          `shard ${index} of the plan is ${sha256} of ${bytes} bytes, the load names ${file.sha256} of ${file.byteSize}`,
        );
    });
    const places = shards.map((_, index) => session.placeOf(index)).entries();
    let fromCache = true;
    // One is read while another is hashed.
    const lane = async (): Promise<void> => {
      for (const [index, place] of places)
        fromCache = (await this.parts.store.into(load.external[index]!, place)).fromCache && fromCache;
    };
    await Promise.all([lane(), lane()]);
    return fromCache;
  }

  #discard(session: PlanSession): void {
    session.close();
    this.parts.forget(session.memory);
  }

  #compiled(): Promise<WebAssembly.Module> {
    this.#module ??= this.parts.compile().catch((error: unknown) => {
      this.#module = undefined;
      throw error;
    });
    return this.#module;
  }

  #instance(name: string): Instance {
    const instance = this.#instances.get(name);
    if (instance === undefined) throw new AgentError(Code.NOT_FOUND, `instance '${name}' is not loaded`);
    return instance;
  }
}

// Every symbol, 0 where the load does not say: the executor refuses a step that needs it. R is at first what T is.
function limitsOf(load: Load): Record<string, number> {
  const limits: Record<string, number> = Object.fromEntries([
    ...SYMBOLS.map((symbol) => [symbol, 0]),
    ...KV_BITS.map((name) => [name, DEFAULT_KV_BITS]),
  ]);
  for (const [symbol, extent] of Object.entries(load.planLimits)) {
    if (symbol === '' || !(symbol in limits))
      throw new AgentError(
        Code.INVALID_ARGUMENT,
        `plan_limits has no '${symbol}', it has ${[...SYMBOLS.slice(1), ...KV_BITS].join(' ')}`,
      );
    if (extent > BigInt(MOST_EXTENT))
      throw new AgentError(Code.INVALID_ARGUMENT, `plan_limits: ${symbol} is ${extent}, at most ${MOST_EXTENT}`);
    limits[symbol] = Number(extent);
  }
  return { ...limits, R: limits['R'] || limits['T']! };
}

const micros = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1000));
