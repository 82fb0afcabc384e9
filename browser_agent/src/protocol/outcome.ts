// Expected failures are values: an Outcome at every module's edge, an AgentError with the closed code of the wire.
// AgentError is thrown only inside a module and crosses postMessage as the plain object that `toPlain` gives.
import { Code } from '../generated/shoal/core/v1/code_pb';

export { Code };

export interface PlainError {
  readonly code: Code;
  readonly message: string;
  readonly detail: string;
  readonly operator: string;
}

const MAX_DETAIL = 16384;

export class AgentError extends Error {
  constructor(
    readonly code: Code,
    message: string,
    readonly detail = '',
    readonly operator = '',
  ) {
    super(message);
    this.name = 'AgentError';
  }

  toPlain(): PlainError {
    return {
      code: this.code,
      message: this.message,
      detail: this.detail.slice(0, MAX_DETAIL),
      operator: this.operator,
    };
  }
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: AgentError };

export const success = <T>(value: T): Outcome<T> => ({ ok: true, value });
export const failure = (error: AgentError): { readonly ok: false; readonly error: AgentError } => ({
  ok: false,
  error,
});

// What a caught value says of itself, with its stack: kept whole for the wire's `detail`.
export function describe(thrown: unknown): string {
  if (thrown instanceof Error)
    return thrown.stack?.includes(thrown.message)
      ? thrown.stack
      : `${thrown.name}: ${thrown.message}\n${thrown.stack ?? ''}`;
  return typeof thrown === 'object' && thrown !== null ? JSON.stringify(thrown) : String(thrown);
}
