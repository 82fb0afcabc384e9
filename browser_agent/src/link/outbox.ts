// What waits to be written to the socket. Control frames overtake data; the works' answers take turns frame by frame,
// so one large output delays neither a heartbeat nor another work. Small frames that wait together are one message: a step
// of many answers costs the server one wake-up. Writes stop while the socket holds HIGH_WATER_BYTES.
import { joinedFrame } from '../protocol/frame';

export const HIGH_WATER_BYTES = 1024 * 1024;
const POLL_MS = 4;
const JOINED_BYTES = 64 * 1024;

export interface Wire {
  readonly bufferedAmount: number;
  send(frame: Uint8Array<ArrayBuffer>): void;
}

interface Answer {
  readonly frames: Iterator<Uint8Array<ArrayBuffer>>;
  readonly bytes: number;
}

export interface AnswerFrames {
  readonly workId: bigint;
  readonly frames: Iterable<Uint8Array<ArrayBuffer>>;
  // What they hold until they are sent.
  readonly bytes: number;
}

export class Outbox {
  readonly #control: Uint8Array<ArrayBuffer>[] = [];
  readonly #answers = new Map<bigint, Answer[]>();
  // The next of the answers' frames, taken already.
  #taken: Uint8Array<ArrayBuffer> | undefined;
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

  // Frames of one work keep their order.
  answer(workId: bigint, frames: Iterable<Uint8Array<ArrayBuffer>>, bytes: number): void {
    this.answers([{ workId, frames, bytes }]);
  }

  answers(answers: readonly AnswerFrames[]): void {
    for (const { workId, frames, bytes } of answers) {
      const queue = this.#answers.get(workId) ?? [];
      queue.push({ frames: frames[Symbol.iterator](), bytes });
      this.#answers.set(workId, queue);
      this.#waitingBytes += bytes;
    }
    this.#pump();
  }

  #pump(): void {
    while (this.wire.bufferedAmount < HIGH_WATER_BYTES) {
      const frame = this.#control.shift() ?? this.#joined();
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

  #joined(): Uint8Array<ArrayBuffer> | undefined {
    const frames: Uint8Array<ArrayBuffer>[] = [];
    for (let bytes = 0; ; this.#taken = undefined) {
      this.#taken ??= this.#nextOfAnswers();
      if (this.#taken === undefined) break;
      bytes += this.#taken.byteLength;
      if (frames.length > 0 && bytes > JOINED_BYTES) break;
      frames.push(this.#taken);
    }
    return frames.length > 1 ? joinedFrame(frames) : frames[0];
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
