// The last errors of this agent, whole, for whoever asks later. Pure; the caller passes the time of day.
import { create } from '@bufbuild/protobuf';
import { type LoggedError, LoggedErrorSchema } from '../generated/shoal/agent/v1/agent_pb';
import type { PlainError } from '../protocol/outcome';

export const MAX_ERRORS = 32;
const MAX_MESSAGE = 500;
const MAX_DETAIL = 1500;

export class ErrorLog {
  readonly #kept: LoggedError[] = [];

  add(error: PlainError, backend: string, workId: bigint, unixMs: number): void {
    if (this.#kept.length >= MAX_ERRORS) this.#kept.shift();
    this.#kept.push(
      create(LoggedErrorSchema, {
        unixMs: BigInt(unixMs),
        backend,
        workId,
        code: error.code,
        message: error.message.slice(0, MAX_MESSAGE),
        detail: error.detail.slice(0, MAX_DETAIL),
      }),
    );
  }

  get kept(): readonly LoggedError[] {
    return this.#kept;
  }
}
