// What waits to be written to the socket. Control frames overtake data; the works' answers take turns frame by frame,
// so one large output delays neither a heartbeat nor another work. Writes stop while the socket holds HIGH_WATER_BYTES.
export const HIGH_WATER_BYTES = 1024 * 1024;
const POLL_MS = 4;

export interface Wire {
  readonly bufferedAmount: number;
  send(frame: Uint8Array<ArrayBuffer>): void;
}

interface Answer {
  readonly frames: Iterator<Uint8Array<ArrayBuffer>>;
  readonly bytes: number;
}

export class Outbox {
  readonly #control: Uint8Array<ArrayBuffer>[] = [];
  readonly #answers = new Map<bigint, Answer[]>();
  #waitingBytes = 0;
  #polling = false;

  constructor(
    private readonly wire: Wire,
    private readonly later: (run: () => void, ms: number) => unknown = (run, ms) => setTimeout(run, ms),
  ) {}

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  control(frame: Uint8Array<ArrayBuffer>): void {
    this.#control.push(frame);
    this.#pump();
  }

  // Frames of one work keep their order; `bytes` is what they hold until they are sent.
  answer(workId: bigint, frames: Iterable<Uint8Array<ArrayBuffer>>, bytes: number): void {
    const queue = this.#answers.get(workId) ?? [];
    queue.push({ frames: frames[Symbol.iterator](), bytes });
    this.#answers.set(workId, queue);
    this.#waitingBytes += bytes;
    this.#pump();
  }

  #pump(): void {
    while (this.wire.bufferedAmount < HIGH_WATER_BYTES) {
      const frame = this.#control.shift() ?? this.#nextOfAnswers();
      if (frame === undefined) return;
      this.wire.send(frame);
    }
    if (this.#polling) return;
    this.#polling = true;
    this.later(() => {
      this.#polling = false;
      this.#pump();
    }, POLL_MS);
  }

  #nextOfAnswers(): Uint8Array<ArrayBuffer> | undefined {
    for (const [workId, queue] of this.#answers) {
      this.#answers.delete(workId);
      let head = queue[0];
      while (head !== undefined) {
        const next = head.frames.next();
        if (next.done !== true) {
          this.#answers.set(workId, queue);
          return next.value;
        }
        this.#waitingBytes -= head.bytes;
        queue.shift();
        head = queue[0];
      }
    }
    return undefined;
  }
}
