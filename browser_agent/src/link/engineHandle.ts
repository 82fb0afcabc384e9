// One engine worker as the link sees it: its queue, its beats, its end. The queue lives here because an engine inside a wasm
// computation hears nothing: cancels and deadlines of waiting works are answered at once.
// Every work that was accepted is answered exactly once through `answers`. When the worker dies, all its works fail with the
// reason and a new worker starts with no instances; after MAX_RESTARTS within RESTART_WINDOW_MS the engine stays down.
import type { Loaded } from '../generated/shoal/agent/v1/agent_pb';
import type { Backend, FromEngine, MemoryUse, Packed, Probe, ToEngine, WorkMessage } from '../engine/messages';
import { AgentError, Code, type PlainError } from '../protocol/outcome';
import { WorkQueue } from './workQueue';

const QUEUE_LIMIT = 64;
const MAX_RESTARTS = 5;
const RESTART_WINDOW_MS = 60_000;
const EXPIRY_MS = 50;

export interface Answers {
  output(workId: bigint, output: Packed): void;
  end(workId: bigint, computeUs: number, queueUs: number, loaded: Loaded | undefined): void;
  error(workId: bigint, error: PlainError): void;
  // Whether the socket has room: nothing new starts while answers pile up.
  readonly isFull: boolean;
}

export class EngineHandle {
  readonly #queue = new WorkQueue<WorkMessage>(QUEUE_LIMIT);
  readonly #restarts: number[] = [];
  #worker: Worker | undefined;
  #dead: PlainError | undefined;
  #threads: number | undefined;
  #startedAt = 0;
  #lastBeat = performance.now();
  #memory: MemoryUse = { wasmBytes: 0, gpuBytes: 0, cacheBytes: 0 };
  #onProbed: ((probe: Probe) => void) | undefined;

  constructor(
    readonly backend: Backend,
    private readonly answers: Answers,
  ) {
    this.#start();
    setInterval(() => this.#advance(), EXPIRY_MS);
  }

  get memory(): MemoryUse {
    return this.#memory;
  }

  get ageMs(): number {
    return Math.round(performance.now() - this.#lastBeat);
  }

  get workIds(): bigint[] {
    return this.#queue.workIds;
  }

  probe(): Promise<Probe> {
    return new Promise((resolve) => {
      this.#onProbed = resolve;
      this.#post({ kind: 'probe' });
    });
  }

  configure(threads: number, preload: boolean): void {
    this.#threads = threads;
    this.#post({ kind: 'configure', threads, preload });
  }

  submit(message: WorkMessage, timeoutMs: number): void {
    if (this.#dead !== undefined) return this.answers.error(message.workId, this.#dead);
    if (!this.#queue.push(message.workId, message, performance.now(), timeoutMs)) {
      return this.answers.error(
        message.workId,
        new AgentError(Code.OVERLOADED, `${QUEUE_LIMIT} works already wait for ${this.backend}`).toPlain(),
      );
    }
    this.#advance();
  }

  // True when the work is here. Running works are answered when they end: onnxruntime cannot stop inside one.
  cancel(workId: bigint): boolean {
    const found = this.#queue.cancel(workId);
    if (found === 'dropped') this.answers.error(workId, cancelled());
    return found !== 'unknown';
  }

  #start(): void {
    const worker = new Worker(new URL('engine.js', location.href), { type: 'module', name: this.backend });
    worker.onmessage = (event: MessageEvent<FromEngine>) => this.#hear(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(
        new AgentError(
          Code.INTERNAL,
          `the ${this.backend} engine stopped: ${event.message}`,
          `${event.filename}:${event.lineno}`,
        ).toPlain(),
      );
    };
    this.#worker = worker;
    this.#lastBeat = performance.now();
    if (this.#threads !== undefined) this.configure(this.#threads, false);
  }

  #post(message: ToEngine, transfer: Transferable[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }

  #hear(message: FromEngine): void {
    this.#lastBeat = performance.now();
    switch (message.kind) {
      case 'beat':
        this.#memory = message.memory;
        return;
      case 'probed':
        return this.#onProbed?.(message.probe);
      case 'end':
      case 'error':
        return this.#finish(message);
      case 'fatal':
        return this.#fail(message.error);
    }
  }

  #finish(message: Extract<FromEngine, { kind: 'end' | 'error' }>): void {
    const queuedAt = this.#queue.running?.queuedAt ?? 0;
    const finished = this.#queue.finish(message.workId);
    if (finished === undefined) return;
    if (finished.cancelled) {
      this.answers.error(message.workId, cancelled());
      // Nobody will ever name this instance: its load was withdrawn.
      if (message.kind === 'end' && finished.item.kind === 'load')
        this.#post({ kind: 'unload', workId: 0n, instance: finished.item.load.instance });
    } else if (message.kind === 'error') {
      this.answers.error(message.workId, message.error);
    } else {
      if (message.output !== undefined) this.answers.output(message.workId, message.output);
      this.answers.end(
        message.workId,
        message.computeUs,
        Math.round((this.#startedAt - queuedAt) * 1000),
        message.loaded,
      );
    }
    this.#advance();
  }

  #advance(): void {
    for (const { workId } of this.#queue.expire(performance.now())) {
      this.answers.error(
        workId,
        new AgentError(
          Code.DEADLINE_EXCEEDED,
          `the deadline passed while the work waited for ${this.backend}`,
        ).toPlain(),
      );
    }
    if (this.answers.isFull) return;
    const next = this.#queue.take();
    if (next === undefined) return;
    this.#startedAt = performance.now();
    const { item } = next;
    this.#post(item, item.kind === 'run' ? [item.payload.buffer] : []);
  }

  #fail(error: PlainError): void {
    // A load with fixed dimensions that brought the engine down gets its second try without them, in the new worker.
    const lost = this.#queue.running;
    const hasSecondTry = lost?.item.kind === 'load' && Object.keys(lost.item.load.freeDimensions).length > 0;
    if (hasSecondTry)
      this.#queue.again((item) =>
        item.kind === 'load' ? { ...item, load: { ...item.load, freeDimensions: {} } } : item,
      );
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#memory = { ...this.#memory, wasmBytes: 0, gpuBytes: 0 };
    const now = performance.now();
    this.#restarts.push(now);
    while (this.#restarts[0] !== undefined && this.#restarts[0] < now - RESTART_WINDOW_MS) this.#restarts.shift();
    if (this.#restarts.length > MAX_RESTARTS) {
      this.#dead = {
        ...error,
        code: Code.BACKEND_UNAVAILABLE,
        message: `the ${this.backend} engine stopped ${this.#restarts.length} times within a minute: ${error.message}`,
      };
    } else {
      this.#start();
    }
    // The instances are gone with the worker: runs fail, loads still find their way.
    for (const work of this.#queue.drain()) {
      if (work.item.kind === 'load' && this.#dead === undefined && work !== lost)
        this.#queue.push(work.workId, work.item, work.queuedAt, 0);
      else this.answers.error(work.workId, error);
    }
    this.#advance();
  }
}

const cancelled = (): PlainError => new AgentError(Code.CANCELLED, 'cancelled by the server').toPlain();
