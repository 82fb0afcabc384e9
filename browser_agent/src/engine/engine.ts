// One inference engine on one backend, inside an engine worker. Calls come one at a time. Failures are thrown as
// AgentError and turned into values where the worker answers.
import type { Load, Loaded, Run } from '../generated/shoal/agent/v1/agent_pb';
import type { Packed } from '../protocol/runFrames';

export interface RunResult extends Packed {
  readonly computeUs: number;
}

export interface Engine {
  // Fetches and compiles what the first load will need.
  preload(): Promise<void>;
  load(load: Load): Promise<Loaded>;
  unload(instance: string): Promise<void>;
  run(run: Run, payload: Uint8Array): Promise<RunResult>;
}
