// The engine's WASM builds and what they export (engine/wasm/plan_exports.cpp, generation_exports.cpp). A module is compiled once in a worker; each
// plan gets an instance with a memory of its own, so that unloading it gives all of that back.
import type { WasmFeatures } from '../../backend/wasm/features';
import { AgentError, Code, describe } from '../../protocol/outcome';

export type Variant = 'simd128' | 'relaxed_simd';

export function variantOf(features: WasmFeatures): Variant {
  if (!features.simd) throw new AgentError(Code.BACKEND_UNAVAILABLE, 'this browser has no WebAssembly SIMD');
  return features.relaxedSimd ? 'relaxed_simd' : 'simd128';
}

// From the agent's own origin, compiled while it arrives. The threaded one needs a cross-origin isolated page.
export async function compileVariant(variant: Variant, isThreaded: boolean): Promise<WebAssembly.Module> {
  const url = new URL(`plan/engine_${isThreaded ? 'threads_' : ''}${variant}.wasm`, location.href);
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new AgentError(Code.UNAVAILABLE, `GET ${url.pathname} failed`, describe(error));
  }
  if (!response.ok) throw new AgentError(Code.UNAVAILABLE, `GET ${url.pathname}: status ${response.status}`);
  return WebAssembly.compileStreaming(response);
}

// Pointers, sizes and indices are numbers. A pointer 0 or a status that is not 0 is a failure: shoal_error() tells.
export interface Exports {
  _initialize(): void;
  shoal_alloc(bytes: number): number;
  shoal_free(pointer: number): void;
  shoal_error(): number;
  shoal_plan_open(file: number, size: number): number;
  shoal_plan_close(session: number): void;
  shoal_plan_op_count(session: number): number;
  shoal_plan_shard_count(session: number): number;
  shoal_plan_shard_bytes(session: number, index: number): number;
  shoal_plan_shard_sha256(session: number, index: number): number;
  shoal_plan_shard_memory(session: number, index: number): number;
  shoal_plan_prepare(session: number, limits: number): number;
  shoal_plan_memory(session: number): number;
  shoal_plan_signature(session: number, name: number, size: number): number;
  shoal_plan_output_count(session: number, signature: number): number;
  shoal_plan_output(session: number, signature: number, index: number): number;
  shoal_plan_begin(
    session: number,
    signature: number,
    rows: number,
    rowCount: number,
    tokens: number,
    tokenCount: number,
    tokenTypes: number,
  ): number;
  shoal_sequence_add(session: number, tokens: number, count: number, options: number): number;
  shoal_sequence_cancel(session: number, id: number): void;
  shoal_sequence_allow(session: number, id: number, position: number, tokens: number, size: number): number;
  shoal_sequences_begin_step(session: number): number;
  shoal_sequences_is_wanted(session: number): number;
  shoal_sequences_end_step(session: number): number;
  shoal_sequences_abandon_step(session: number): void;
  shoal_sequences_events(session: number, count: number): number;
  shoal_plan_layers_left(session: number): number;
  shoal_plan_run_layer(session: number): number;
}

// What the threaded builds export beside the others (engine/wasm/thread_exports.cpp).
export interface ThreadExports {
  readonly __stack_pointer: WebAssembly.Global<'i32'>;
  shoal_threads_make(session: number, lanes: number): number;
  shoal_thread_stack(): number;
  shoal_thread_serve(pool: number, lane: number): void;
  shoal_thread_trapped(pool: number): void;
}

export interface Instance {
  readonly exports: Exports;
  readonly threads: ThreadExports | undefined;
  readonly memory: WebAssembly.Memory;
}

const PAGE_BYTES = 65536;
const FIRST_PAGES = 32; // its stack and its constants
export const MOST_BYTES = 4 * 1024 ** 3;
const NOT_IMPLEMENTED = 52; // WASI's ENOSYS

const isThreaded = (module: WebAssembly.Module): boolean =>
  WebAssembly.Module.exports(module).some(({ name }) => name === 'shoal_threads_make');

// The memory never grows beyond `mostBytes`: what does not fit is refused inside, with a code.
export async function instantiate(module: WebAssembly.Module, mostBytes = MOST_BYTES): Promise<Instance> {
  const maximum = Math.floor(mostBytes / PAGE_BYTES);
  const shared = isThreaded(module);
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: FIRST_PAGES, maximum, shared });
  } catch (error) {
    throw new AgentError(Code.RESOURCE_LIMIT, `no memory of at most ${mostBytes} bytes to be had`, describe(error));
  }
  const exports = (await instantiateOn(module, memory)) as unknown as Exports & ThreadExports;
  exports._initialize();
  return { exports, memory, threads: shared ? exports : undefined };
}

// One more instance on a memory that was set up already.
export async function instantiateThread(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<ThreadExports> {
  return (await instantiateOn(module, memory)) as unknown as ThreadExports;
}

// The engine does no input or output; libc's code for it is linked all the same.
async function instantiateOn(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<WebAssembly.Exports> {
  const wasi = Object.fromEntries(
    WebAssembly.Module.imports(module)
      .filter((wanted) => wanted.kind === 'function')
      .map(({ name }) => [name, () => NOT_IMPLEMENTED]),
  );
  return (await WebAssembly.instantiate(module, { env: { memory }, wasi_snapshot_preview1: wasi })).exports;
}
