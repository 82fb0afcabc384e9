// Collects the frames of a Run, the first and the chunks that follow, until its payload is there. Pure; one per
// connection. A payload is bounded when it begins, so a peer cannot make this side hold more than MAX_PENDING_BYTES.
import type { Run } from '../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code, failure, type Outcome, success } from './outcome';

export const MAX_PENDING_BYTES = 512 * 1024 * 1024;

export interface Assembled {
  readonly workId: bigint;
  readonly run: Run;
  readonly frames: readonly Uint8Array<ArrayBuffer>[];
}

interface Pending {
  readonly run: Run;
  readonly frames: Uint8Array<ArrayBuffer>[];
  readonly bytes: number;
  filled: number;
}

export class Assembler {
  readonly #pending = new Map<bigint, Pending>();
  #pendingBytes = 0;

  // The finished run, or undefined while chunks are missing. After an error the work id is forgotten.
  // `frame` is the whole message, of which `rawBytes` are the payload's.
  begin(workId: bigint, run: Run, frame: Uint8Array<ArrayBuffer>, rawBytes: number): Outcome<Assembled | undefined> {
    if (this.#pending.has(workId))
      return failure(new AgentError(Code.INVALID_ARGUMENT, `work ${workId} is already arriving`));
    const total = run.inputs.reduce((sum, tensor) => sum + tensor.byteSize, 0n);
    if (total + BigInt(this.#pendingBytes) > BigInt(MAX_PENDING_BYTES)) {
      return failure(
        new AgentError(Code.RESOURCE_LIMIT, `inputs of ${total} bytes: at most ${MAX_PENDING_BYTES} may be under way`),
      );
    }
    this.#pending.set(workId, { run, frames: [], bytes: Number(total), filled: 0 });
    this.#pendingBytes += Number(total);
    return this.#append(workId, frame, rawBytes);
  }

  // Chunks of a work id that is not arriving (cancelled, refused) are dropped.
  chunk(workId: bigint, frame: Uint8Array<ArrayBuffer>, rawBytes: number): Outcome<Assembled | undefined> {
    return this.#pending.has(workId) ? this.#append(workId, frame, rawBytes) : success(undefined);
  }

  // True when the work was still arriving.
  forget(workId: bigint): boolean {
    const pending = this.#pending.get(workId);
    if (pending === undefined) return false;
    this.#pendingBytes -= pending.bytes;
    return this.#pending.delete(workId);
  }

  #append(workId: bigint, frame: Uint8Array<ArrayBuffer>, rawBytes: number): Outcome<Assembled | undefined> {
    const pending = this.#pending.get(workId)!;
    const { run, frames, bytes } = pending;
    if (pending.filled + rawBytes > bytes) {
      this.forget(workId);
      return failure(
        new AgentError(Code.INVALID_ARGUMENT, `work ${workId} sent more than the ${bytes} bytes it declared`),
      );
    }
    frames.push(frame);
    pending.filled += rawBytes;
    if (pending.filled < bytes) return success(undefined);
    this.forget(workId);
    return success({ workId, run, frames });
  }
}
