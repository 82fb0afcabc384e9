// One inference engine on one backend, inside an engine worker. Calls come one at a time, but for runs that generate: those
// come beside each other and beside other works. Failures are thrown as AgentError and turned into values where the worker
// answers.
import type { End, Load, Loaded, Mask, Run } from '../generated/shoal/agent/v1/agent_pb';
import type { Packed } from '../protocol/runFrames';

export interface RunResult extends Packed {
  readonly computeUs: number;
  // Of a generation, whose outputs went ahead.
  readonly finish?: Pick<End, 'finishReason' | 'prefillUs' | 'decodeUs' | 'cachedTokens' | 'meanRows'>;
}

// What the worker offers to a run.
export interface RunControl {
  // Lets the worker hear what has come meanwhile. Throws AgentError CANCELLED when this run is to end.
  breathe(): Promise<void>;
  // The same, and throws nothing.
  pause(): Promise<void>;
  readonly isCancelled: boolean;
  // Of a run that generates: those that have come since the last call.
  takeMasks(): readonly Pick<Mask, 'position' | 'allowed'>[];
  // Is called when a mask has come or the run was cancelled.
  onNews(listener: () => void): void;
  // Sends a part of the answer ahead of its end.
  output(part: Packed): void;
}

export interface Engine {
  // Fetches and compiles what the first load will need.
  preload(): Promise<void>;
  load(load: Load): Promise<Loaded>;
  unload(instance: string): Promise<void>;
  run(run: Run, payload: Uint8Array, control: RunControl): Promise<RunResult>;
}
