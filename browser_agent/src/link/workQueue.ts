// The works of one engine: at most one runs, at most `limit` wait. Pure; the caller passes the time.
// Every work that entered leaves exactly once: taken and finished, dropped by a cancel, expired, or drained.
export interface Waiting<T> {
  readonly workId: bigint;
  readonly item: T;
  readonly queuedAt: number;
  readonly deadline: number;
}

export interface Drained<T> {
  readonly running: (Waiting<T> & { readonly cancelled: boolean }) | undefined;
  readonly waiting: readonly Waiting<T>[];
}

export class WorkQueue<T> {
  #waiting: Waiting<T>[] = [];
  #running: (Waiting<T> & { cancelled: boolean }) | undefined;
  // Came another way, and keeps everybody waiting all the same.
  #adopted: (Waiting<T> & { cancelled: boolean }) | undefined;

  constructor(private readonly limit: number) {}

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
    if (this.#running !== undefined || this.#adopted !== undefined) return undefined;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#running = { ...next, cancelled: false };
    return next;
  }

  // A work that the engine was given by somebody else.
  adopt(work: Waiting<T>): void {
    this.#adopted = { ...work, cancelled: false };
  }

  // It is nobody's any more: its end finds nothing.
  disown(): Waiting<T> | undefined {
    const disowned = this.#adopted;
    this.#adopted = undefined;
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
    if (running === this.#running) this.#running = undefined;
    else this.#adopted = undefined;
    return { cancelled: running.cancelled, item: running.item };
  }

  #runningAs(workId: bigint): (Waiting<T> & { cancelled: boolean }) | undefined {
    return [this.#running, this.#adopted].find((running) => running?.workId === workId);
  }

  // Past the limit, for works that were accepted before.
  putBack(work: Waiting<T>): void {
    this.#waiting.push(work);
  }

  // Empties the queue.
  drain(): Drained<T> {
    const drained = { running: this.#running ?? this.#adopted, waiting: this.#waiting };
    this.#running = this.#adopted = undefined;
    this.#waiting = [];
    return drained;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  get running(): Waiting<T> | undefined {
    return this.#running;
  }

  get workIds(): bigint[] {
    return [
      ...[this.#running, this.#adopted].flatMap((running) => (running === undefined ? [] : [running.workId])),
      ...this.#waiting.map((work) => work.workId),
    ];
  }
}
