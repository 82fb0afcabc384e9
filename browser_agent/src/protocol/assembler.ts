// Puts a Run's payload together from its first frame and the chunks that follow. Pure; one per connection.
// A payload is bounded when it begins, so a peer cannot make this side hold more than MAX_PENDING_BYTES.
import type { Run } from '../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code, failure, type Outcome, success } from './outcome';

export const MAX_PENDING_BYTES = 512 * 1024 * 1024;

export interface Assembled {
  readonly workId: bigint;
  readonly run: Run;
  readonly payload: Uint8Array<ArrayBuffer>;
}

interface Pending {
  readonly run: Run;
  readonly payload: Uint8Array<ArrayBuffer>;
  filled: number;
}

export class Assembler {
  readonly #pending = new Map<bigint, Pending>();
  #pendingBytes = 0;

  // The finished run, or undefined while chunks are missing. After an error the work id is forgotten.
  begin(workId: bigint, run: Run, raw: Uint8Array): Outcome<Assembled | undefined> {
    if (this.#pending.has(workId))
      return failure(new AgentError(Code.INVALID_ARGUMENT, `work ${workId} is already arriving`));
    const total = run.inputs.reduce((sum, tensor) => sum + tensor.byteSize, 0n);
    if (total + BigInt(this.#pendingBytes) > BigInt(MAX_PENDING_BYTES)) {
      return failure(
        new AgentError(Code.RESOURCE_LIMIT, `inputs of ${total} bytes: at most ${MAX_PENDING_BYTES} may be under way`),
      );
    }
    this.#pending.set(workId, { run, payload: new Uint8Array(Number(total)), filled: 0 });
    this.#pendingBytes += Number(total);
    return this.#append(workId, raw);
  }

  // Chunks of a work id that is not arriving (cancelled, refused) are dropped.
  chunk(workId: bigint, raw: Uint8Array): Outcome<Assembled | undefined> {
    return this.#pending.has(workId) ? this.#append(workId, raw) : success(undefined);
  }

  // True when the work was still arriving.
  forget(workId: bigint): boolean {
    const pending = this.#pending.get(workId);
    if (pending === undefined) return false;
    this.#pendingBytes -= pending.payload.byteLength;
    return this.#pending.delete(workId);
  }

  #append(workId: bigint, raw: Uint8Array): Outcome<Assembled | undefined> {
    const pending = this.#pending.get(workId)!;
    const { run, payload } = pending;
    if (pending.filled + raw.byteLength > payload.byteLength) {
      this.forget(workId);
      return failure(
        new AgentError(
          Code.INVALID_ARGUMENT,
          `work ${workId} sent more than the ${payload.byteLength} bytes it declared`,
        ),
      );
    }
    payload.set(raw, pending.filled);
    pending.filled += raw.byteLength;
    if (pending.filled < payload.byteLength) return success(undefined);
    this.forget(workId);
    return success({ workId, run, payload });
  }
}
