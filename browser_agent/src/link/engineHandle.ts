// One engine worker as the link sees it: its queue, its beats, its end. The queue lives here because an engine inside a wasm
// computation hears nothing: cancels and deadlines of waiting works are answered at once.
// Every work that was accepted is answered exactly once through `answers`. When the worker dies, what ran fails with
// the reason and a new worker starts: what was loaded is loaded again (from the store), then the queue goes on. Where
// that fails the next worker starts. After MAX_RESTARTS within RESTART_WINDOW_MS the engine stays down.
import type { DebugRequest, Load } from '../generated/shoal/agent/v1/agent_pb';
import type {
  Attachment,
  Backend,
  EngineDebug,
  FromEngine,
  MaskBits,
  MemoryUse,
  Part,
  Probe,
  ToEngine,
  WorkMessage,
} from '../engine/messages';
import { AgentError, Code, type PlainError } from '../protocol/outcome';
import { DutyCycle } from './dutyCycle';
import { mayJoin } from './together';
import { WorkQueue } from './workQueue';

const QUEUE_LIMIT = 64;
const MAX_RESTARTS = 5;
const RESTART_WINDOW_MS = 60_000;
const EXPIRY_MS = 50;
const MOST_EARLY_MASKS = 2;

export interface Answers {
  // Parts of answers, ahead of their ends.
  outputs(parts: readonly Part[]): void;
  // The frames of outputs and end, as the engine made them.
  done(workId: bigint, frames: readonly Uint8Array<ArrayBuffer>[]): void;
  error(workId: bigint, error: PlainError): void;
  // The engine's own connection of that attachment broke: what was under way there may be lost.
  cut(number: number): void;
  // The engine stopped, whoever's work that ends.
  stopped(backend: Backend, error: PlainError): void;
  // Whether the socket has room: nothing new starts while answers pile up.
  readonly isFull: boolean;
}

type Frames = Uint8Array<ArrayBuffer>[];

export class EngineHandle {
  readonly #queue = new WorkQueue<WorkMessage>(QUEUE_LIMIT, (next, running) =>
    mayJoin(next, running, (instance) => Number(this.#loaded.get(instance)?.planLimits['B'] ?? 1n)),
  );
  readonly #restarts: number[] = [];
  // What the server believes to be loaded.
  readonly #loaded = new Map<string, Load>();
  // Reloads after a death have ids of their own, below zero, and answer to nobody.
  #nextReload = -1n;
  #worker: Worker | undefined;
  #dead: PlainError | undefined;
  #threads: number | undefined;
  #attachment: Attachment | undefined;
  #lastBeat = performance.now();
  #memory: MemoryUse = { wasmBytes: 0, gpuBytes: 0, cacheBytes: 0 };
  #onProbed: ((probe: Probe) => void) | undefined;
  #nextDebug = 1n;
  // What running works have answered ahead of their ends.
  readonly #parts = new Map<bigint, Frames>();
  // Of runs that wait.
  readonly #masks = new Map<bigint, MaskBits[]>();
  #runs = 0;
  #takenAt = 0;
  #isAwake = false;
  readonly #duty = new DutyCycle();
  readonly #onDebugged = new Map<bigint, (debug: EngineDebug) => void>();

  constructor(
    readonly backend: Backend,
    private readonly answers: Answers,
  ) {
    this.#start();
  }

  get memory(): MemoryUse {
    return this.#memory;
  }

  // Those that ended well.
  get runs(): number {
    return this.#runs;
  }

  // Of the time that the engine may work, above 0 and at most 1.
  set share(share: number) {
    this.#duty.share = share;
  }

  get ageMs(): number {
    return Math.round(performance.now() - this.#lastBeat);
  }

  get workIds(): bigint[] {
    return this.#queue.workIds.filter((workId) => workId > 0n);
  }

  // On another connection the works are answered from the start.
  get parts(): ReadonlyMap<bigint, readonly Uint8Array<ArrayBuffer>[]> {
    return this.#parts;
  }

  probe(): Promise<Probe> {
    return new Promise((resolve) => {
      this.#onProbed = resolve;
      this.#post({ kind: 'probe' });
    });
  }

  // Comes after the work that runs; never, when the engine stops before.
  debug(request: DebugRequest): Promise<EngineDebug> {
    const debugId = this.#nextDebug++;
    return new Promise((resolve) => {
      this.#onDebugged.set(debugId, resolve);
      this.#post({ kind: 'debug', debugId, request });
    });
  }

  configure(threads: number, preload: boolean): void {
    this.#threads = threads;
    this.#post({ kind: 'configure', threads, preload });
  }

  // Gives the engine a connection of its own for short runs and answers, or takes it away.
  attach(attachment: Attachment | undefined): void {
    this.#attachment = attachment;
    const disowned = this.#queue.disown();
    if (disowned !== undefined) {
      this.#parts.delete(disowned.workId);
      this.#post({ kind: 'cancel', workId: disowned.workId });
    }
    this.#tellAttachment();
    this.#advance();
  }

  // Who has a connection is given runs on it: not before everything is loaded again.
  #tellAttachment(): void {
    if (!this.#queue.workIds.some((workId) => workId < 0n))
      this.#post({ kind: 'attach', attachment: this.#attachment });
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

  // True when the work is here. Running works are answered when they end: the plan engine ends within a layer, onnxruntime
  // cannot stop inside a run.
  cancel(workId: bigint): boolean {
    if (workId <= 0n) return false;
    const found = this.#queue.cancel(workId);
    if (found === 'dropped') {
      this.#masks.delete(workId);
      this.answers.error(workId, withdrawn());
    }
    if (found === 'running') this.#post({ kind: 'cancel', workId });
    return found !== 'unknown';
  }

  // True when the work is here.
  mask(workId: bigint, mask: MaskBits): boolean {
    if (!this.#queue.workIds.includes(workId)) return false;
    if (this.#queue.isWanted(workId)) this.#post({ kind: 'mask', workId, mask });
    else this.#masks.set(workId, [...(this.#masks.get(workId) ?? []), mask].slice(-MOST_EARLY_MASKS));
    return true;
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
      case 'debugged':
        this.#onDebugged.get(message.debugId)?.(message.debug);
        this.#onDebugged.delete(message.debugId);
        return;
      case 'outputs':
        return this.#pass(message.parts);
      case 'end':
      case 'error':
        return this.#finish(message);
      case 'took':
        if (this.#isCurrent(message.gotOn)) this.#adopt(message.workId, message.generates);
        return;
      case 'cut':
        return this.answers.cut(message.number);
      case 'fatal':
        return this.#fail(message.error);
    }
  }

  #isCurrent(number: number | undefined): boolean {
    return number !== undefined && number === this.#attachment?.number;
  }

  #adopt(workId: bigint, generates: string | undefined): void {
    const now = performance.now();
    if (this.#queue.runningCount === 0) this.#takenAt = now;
    const item = { kind: 'run', workId, frames: [], generates } as const;
    this.#queue.adopt({ workId, item, queuedAt: now, deadline: Infinity });
  }

  #pass(parts: readonly Part[]): void {
    const wanted = parts.filter(
      ({ workId, gotOn }) => (gotOn === undefined || this.#isCurrent(gotOn)) && this.#queue.isWanted(workId),
    );
    for (const { workId, frames } of wanted) {
      const kept = this.#parts.get(workId) ?? [];
      kept.push(...frames);
      this.#parts.set(workId, kept);
    }
    this.answers.outputs(wanted);
  }

  #finish(message: Extract<FromEngine, { kind: 'end' | 'error' }>): void {
    // Void: the server gives it out again.
    if (message.gotOn !== undefined && !this.#isCurrent(message.gotOn)) return;
    const finished = this.#queue.finish(message.workId);
    if (finished === undefined) return;
    this.#parts.delete(message.workId);
    const { item, cancelled } = finished;
    if (item.kind === 'run') {
      const now = performance.now();
      this.#duty.worked(now - this.#takenAt, now);
      // Of those that ran beside it the time until now is told.
      this.#takenAt = now;
      if (message.kind === 'end') this.#runs++;
    }
    this.#keepAccount(item, message.kind, cancelled);
    // The server believes it to be loaded: a GPU that is not back yet, say, takes another start.
    if (item.workId < 0n) {
      if (message.kind === 'error') return this.#fail(message.error);
      this.#tellAttachment();
      return this.#advance();
    }
    const sentOn = message.kind === 'end' ? message.sentOn : undefined;
    if (this.#isCurrent(sentOn)) {
      // The server has it.
    } else if (cancelled) {
      this.answers.error(message.workId, withdrawn());
      // Nobody will ever name this instance: its load was withdrawn.
      if (message.kind === 'end' && item.kind === 'load')
        this.#post({ kind: 'unload', workId: 0n, instance: item.load.instance, queueUs: 0 });
    } else if (message.kind === 'error') {
      this.answers.error(message.workId, message.error);
    } else {
      this.answers.done(message.workId, message.frames);
    }
    this.#advance();
  }

  #keepAccount(item: WorkMessage, outcome: 'end' | 'error', cancelled: boolean): void {
    if (item.kind === 'load' && outcome === 'end' && !cancelled) this.#loaded.set(item.load.instance, item.load);
    if (item.kind === 'unload' && outcome === 'end') this.#loaded.delete(item.instance);
  }

  #advance(): void {
    for (const { workId } of this.#queue.expire(performance.now())) {
      this.#masks.delete(workId);
      this.answers.error(
        workId,
        new AgentError(
          Code.DEADLINE_EXCEEDED,
          `the deadline passed while the work waited for ${this.backend}`,
        ).toPlain(),
      );
    }
    while (!this.answers.isFull && !this.#duty.isResting(performance.now()) && this.#take());
    this.#stayAwake();
  }

  // The clock ticks only while something waits: twenty wake-ups a second are half of what an idle browser costs.
  #stayAwake(): void {
    if (this.#isAwake || this.#queue.waitingCount === 0) return;
    this.#isAwake = true;
    setTimeout(() => {
      this.#isAwake = false;
      this.#advance();
    }, EXPIRY_MS);
  }

  #take(): boolean {
    const isIdle = this.#queue.runningCount === 0;
    const next = this.#queue.take();
    if (next === undefined) return false;
    const { item, workId } = next;
    if (isIdle) this.#takenAt = performance.now();
    const queueUs = Math.round((performance.now() - next.queuedAt) * 1000);
    this.#post({ ...item, queueUs }, item.kind === 'run' ? item.frames.map((frame) => frame.buffer) : []);
    for (const mask of this.#masks.get(workId) ?? []) this.#post({ kind: 'mask', workId, mask });
    this.#masks.delete(workId);
    return true;
  }

  #fail(error: PlainError): void {
    this.answers.stopped(this.backend, error);
    this.#onDebugged.clear();
    this.#parts.clear();
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#memory = { ...this.#memory, wasmBytes: 0, gpuBytes: 0 };
    const { running, waiting } = this.#queue.drain();
    // Its connection goes with it.
    if (this.#attachment !== undefined) this.answers.cut(this.#attachment.number);
    if (this.#isWornOut(performance.now())) {
      const count = this.#restarts.length;
      this.#dead = {
        ...error,
        code: Code.BACKEND_UNAVAILABLE,
        message: `the ${this.backend} engine stopped ${count} times within a minute: ${error.message}`,
      };
      for (const work of running) if (work.workId > 0n) this.answers.error(work.workId, error);
      // Another browser may do what only waited here.
      for (const work of waiting) if (work.workId > 0n) this.answers.error(work.workId, this.#dead);
      return;
    }
    this.#start();
    for (const load of this.#loaded.values()) {
      const workId = this.#nextReload--;
      const item = { kind: 'load', workId, load } as const;
      this.#queue.putBack({ workId, item, queuedAt: performance.now(), deadline: Infinity });
    }
    for (const work of running.filter(({ workId }) => workId > 0n)) {
      const second = work.cancelled ? undefined : secondTry(work.item);
      if (second !== undefined) this.#queue.putBack({ ...work, item: second });
      else this.answers.error(work.workId, work.cancelled ? withdrawn() : error);
    }
    for (const work of waiting) if (work.workId > 0n) this.#queue.putBack(work);
    this.#advance();
  }

  #isWornOut(now: number): boolean {
    this.#restarts.push(now);
    while (this.#restarts[0] !== undefined && this.#restarts[0] < now - RESTART_WINDOW_MS) this.#restarts.shift();
    return this.#restarts.length > MAX_RESTARTS;
  }
}

// A load with fixed dimensions that brought the engine down gets a second try without them.
function secondTry(item: WorkMessage): WorkMessage | undefined {
  if (item.kind !== 'load' || Object.keys(item.load.freeDimensions).length === 0) return undefined;
  return { ...item, load: { ...item.load, freeDimensions: {} } };
}

const withdrawn = (): PlainError => new AgentError(Code.CANCELLED, 'cancelled by the server').toPlain();
