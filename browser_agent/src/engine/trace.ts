// The operations of an engine with their times, kept only while somebody looks: off, it costs one comparison per work.
// Pure; the caller passes the time.
import { create } from '@bufbuild/protobuf';
import { type Operation, OperationSchema } from '../generated/shoal/agent/v1/agent_pb';

export const MAX_OPERATIONS = 256;

export type OperationFields = Omit<Operation, '$typeName' | '$unknown'>;

export class OperationTrace {
  #until = 0;
  #kept: Operation[] = [];

  // From now on for so long; 0 = off, and what was kept is dropped.
  start(forMs: number, now: number): void {
    this.#until = now + forMs;
    if (forMs === 0) this.#kept = [];
  }

  isOn(now: number): boolean {
    return now < this.#until;
  }

  add(fields: OperationFields): void {
    if (this.#kept.length >= MAX_OPERATIONS) this.#kept.shift();
    this.#kept.push(create(OperationSchema, fields));
  }

  get kept(): readonly Operation[] {
    return this.#kept;
  }
}
