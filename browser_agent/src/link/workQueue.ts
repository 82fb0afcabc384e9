// The works of one engine: those run that may run beside each other, at most `limit` wait. They begin in their order. Pure;
// the caller passes the time.
// Every work that entered leaves exactly once: taken and finished, dropped by a cancel, expired, or drained.
export interface Waiting<T> {
  readonly workId: bigint;
  readonly item: T;
  readonly queuedAt: number;
  readonly deadline: number;
}

interface Running<T> extends Waiting<T> {
  cancelled: boolean;
}

export interface Drained<T> {
  readonly running: readonly Readonly<Running<T>>[];
  readonly waiting: readonly Waiting<T>[];
}

export class WorkQueue<T> {
  #waiting: Waiting<T>[] = [];
  #running: Running<T>[] = [];
  // One of those that run, which came another way.
  #adopted: Running<T> | undefined;

  constructor(
    private readonly limit: number,
    private readonly mayJoin: (next: T, running: readonly T[]) => boolean = (_, running) => running.length === 0,
  ) {}

  // False when full. `timeoutMs` 0 = no deadline.
  push(workId: bigint, item: T, now: number, timeoutMs: number): boolean {
    if (this.#waiting.length >= this.limit) return false;
    this.#waiting.push({ workId, item, queuedAt: now, deadline: timeoutMs > 0 ? now + timeoutMs : Infinity });
    return true;
  }

  // What ran out of time while it waited.
  expire(now: number): Waiting<T>[] {
    const expired = this.#waiting.filter((work) => work.deadline <= now);
    if (expired.length > 0) this.#waiting = this.#waiting.filter((work) => work.deadline > now);
    return expired;
  }

  take(): Waiting<T> | undefined {
    const [next] = this.#waiting;
    if (next === undefined) return undefined;
    const running = this.#running.map(({ item }) => item);
    if (!this.mayJoin(next.item, running)) return undefined;
    this.#waiting.shift();
    this.#running.push({ ...next, cancelled: false });
    return next;
  }

  // A work that the engine was given by somebody else.
  adopt(work: Waiting<T>): void {
    this.#adopted = { ...work, cancelled: false };
    this.#running.push(this.#adopted);
  }

  // It is nobody's any more: its end finds nothing.
  disown(): Waiting<T> | undefined {
    const disowned = this.#adopted;
    if (disowned !== undefined) this.#leave(disowned);
    return disowned;
  }

  // Whether somebody waits for what this work makes.
  isWanted(workId: bigint): boolean {
    return this.#runningAs(workId)?.cancelled === false;
  }

  cancel(workId: bigint): 'dropped' | 'running' | 'unknown' {
    const running = this.#runningAs(workId);
    if (running !== undefined) {
      running.cancelled = true;
      return 'running';
    }
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((work) => work.workId !== workId);
    return this.#waiting.length < before ? 'dropped' : 'unknown';
  }

  // Undefined when `workId` is not what runs: a late answer of an engine that was restarted.
  finish(workId: bigint): { readonly cancelled: boolean; readonly item: T } | undefined {
    const running = this.#runningAs(workId);
    if (running === undefined) return undefined;
    this.#leave(running);
    return { cancelled: running.cancelled, item: running.item };
  }

  #leave(left: Running<T>): void {
    this.#running = this.#running.filter((running) => running !== left);
    if (this.#adopted === left) this.#adopted = undefined;
  }

  #runningAs(workId: bigint): Running<T> | undefined {
    return this.#running.find((running) => running.workId === workId);
  }

  // Past the limit, for works that were accepted before.
  putBack(work: Waiting<T>): void {
    this.#waiting.push(work);
  }

  // Empties the queue.
  drain(): Drained<T> {
    const drained = { running: this.#running, waiting: this.#waiting };
    this.#running = [];
    this.#adopted = undefined;
    this.#waiting = [];
    return drained;
  }

  get runningCount(): number {
    return this.#running.length;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  get workIds(): bigint[] {
    return [...this.#running, ...this.#waiting].map((work) => work.workId);
  }
}
