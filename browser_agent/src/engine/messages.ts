// What the link worker and an engine worker say to each other by postMessage. Frames are transferred, not copied.
import type {
  Benchmark,
  DebugRequest,
  Load,
  Mask,
  Operation,
  Shader,
  WebGpu,
  WebNn,
} from '../generated/shoal/agent/v1/agent_pb';
import type { PlainError } from '../protocol/outcome';

export const BACKENDS = ['wasm', 'webgpu', 'webnn'] as const;
export type Backend = (typeof BACKENDS)[number];

export interface MemoryUse {
  readonly wasmBytes: number;
  readonly gpuBytes: number;
  readonly cacheBytes: number;
}

export interface Probe {
  readonly benchmark: Benchmark;
  readonly webgpu?: WebGpu;
  readonly webnn?: readonly WebNn[];
}

export interface EngineDebug {
  readonly operations: readonly Operation[];
  readonly shaders: readonly Shader[];
  readonly notes: readonly string[];
}

// How an engine gets a connection of its own to the server. `number` tells one welcome of the link from the next.
export interface Attachment {
  readonly number: number;
  readonly slot: string;
  readonly token: string;
}

export type ToEngine =
  | { readonly kind: 'probe' }
  | { readonly kind: 'configure'; readonly threads: number; readonly preload: boolean }
  | { readonly kind: 'debug'; readonly debugId: bigint; readonly request: DebugRequest }
  | { readonly kind: 'attach'; readonly attachment: Attachment | undefined }
  // Of the run with this id, if it still computes.
  | { readonly kind: 'cancel'; readonly workId: bigint }
  // Of a run that generates.
  | { readonly kind: 'mask'; readonly workId: bigint; readonly mask: MaskBits }
  | (WorkMessage & { readonly queueUs: number });

export type MaskBits = Pick<Mask, 'position' | 'allowed'>;

export type WorkMessage =
  | { readonly kind: 'load'; readonly workId: bigint; readonly load: Load }
  | { readonly kind: 'unload'; readonly workId: bigint; readonly instance: string }
  | {
      readonly kind: 'run';
      readonly workId: bigint;
      readonly frames: readonly Uint8Array<ArrayBuffer>[];
      // The instance whose steps it shares with others that generate.
      readonly generates?: string | undefined;
    };

interface OfWork {
  readonly workId: bigint;
  readonly gotOn?: number | undefined;
}

// Frames of a part of an answer, ahead of its end.
export interface Part extends OfWork {
  readonly frames: readonly Uint8Array<ArrayBuffer>[];
}

export type FromEngine =
  | { readonly kind: 'beat'; readonly memory: MemoryUse }
  | { readonly kind: 'probed'; readonly probe: Probe }
  | { readonly kind: 'debugged'; readonly debugId: bigint; readonly debug: EngineDebug }
  // A run has come on the engine's own connection, of the attachment `gotOn`.
  | {
      readonly kind: 'took';
      readonly workId: bigint;
      readonly gotOn: number;
      readonly generates?: string | undefined;
    }
  // That connection broke.
  | { readonly kind: 'cut'; readonly number: number }
  // Of the works that went on in one step.
  | { readonly kind: 'outputs'; readonly parts: readonly Part[] }
  // All frames of the answer (that are left), ready to be sent, or sent already on the engine's own connection (`sentOn`).
  | (OfWork & {
      readonly kind: 'end';
      readonly frames: readonly Uint8Array<ArrayBuffer>[];
      readonly sentOn?: number | undefined;
    })
  | (OfWork & { readonly kind: 'error'; readonly error: PlainError })
  // The engine cannot go on (device lost, wasm aborted): the link fails its works with this error and starts a new worker.
  | { readonly kind: 'fatal'; readonly error: PlainError };
