// One plan in a WASM instance: its shards' places, its executor, a step at a time. Failures are thrown as AgentError with the
// engine's code. A trap leaves the instance in no defined state; its WebAssembly.RuntimeError goes through as it is.
import { AgentError, Code } from '../../protocol/outcome';
import type { Place } from '../../store/blobStore';
import { type Exports, type Instance, instantiate } from './module';
import type { StartThread, Thread } from './threads';

// Numbers of engine/graph/dims.hpp.
export const SYMBOLS = ['', 'B', 'T', 'R', 'N', 'S', 'M'] as const;
export type Symbol = (typeof SYMBOLS)[number];
// Of plan_limits beside the symbols: bits of keys and of values.
export const KV_BITS = ['K', 'V'] as const;
export const DEFAULT_KV_BITS = 32;
export type Limits = Readonly<Record<string, number>>;

export interface StepRow {
  readonly tokenCount: number;
  readonly slot: number;
  readonly past: number;
  readonly memoryLength: number;
  readonly wantsEveryOutput: boolean;
}

export interface Step {
  readonly rows: readonly StepRow[];
  readonly tokens: Int32Array;
  readonly tokenTypes?: Int32Array | undefined;
}

export interface OutputInfo {
  readonly name: string;
  readonly rows: Symbol;
  readonly columns: number;
}

export interface MemoryOfPlan {
  readonly weights: number;
  readonly values: number;
  readonly state: number;
  readonly scratch: number;
}

export interface GenerateOptions {
  readonly maxTokens: number;
  readonly stopIds: readonly number[];
  readonly decoderStart: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly seed: bigint;
  readonly logitBias: readonly (readonly [number, number])[];
  readonly logprobs: boolean;
  readonly topLogprobs: number;
  readonly masked: boolean;
  readonly prefixKey: string;
}

// What has become of an answer. After one with `finished` or `error` it is not there any more.
export interface SequenceEvent {
  readonly id: number;
  readonly wasReading: boolean;
  readonly reused: number;
  readonly token: number | undefined;
  readonly finished: (typeof FINISHED)[number];
  readonly error: AgentError | undefined;
  readonly logprob: number;
  readonly top: readonly (readonly [id: number, logprob: number])[];
}

const NO_TOKEN = -1;
const EVENT_WORDS = 9;
const FINISHED = [undefined, 'stop', 'length', 'cancelled'] as const;
const GENERATE_WORDS = 21;
const WORD = 4;
const ROW_WORDS = 5;

export class PlanSession {
  readonly #exports: Exports;
  readonly #threads: Thread[] = [];
  #session = 0;

  private constructor(
    private readonly module: WebAssembly.Module,
    private readonly instance: Instance,
  ) {
    this.#exports = instance.exports;
  }

  // `mostBytes` bounds everything that the plan will take.
  static async start(module: WebAssembly.Module, mostBytes?: number): Promise<PlanSession> {
    return new PlanSession(module, await instantiate(module, mostBytes));
  }

  // First of all. `plan` is the plan's file.
  open(plan: Uint8Array): void {
    this.#session = this.#checkedPointer(
      this.#with(plan, (file) => this.#exports.shoal_plan_open(file, plan.byteLength)),
    );
  }

  // Steps then run on `count` threads, this one among them. After open() and before prepare(); of a threaded build only.
  async startThreads(count: number, start: StartThread): Promise<void> {
    const threads = this.instance.threads;
    if (threads === undefined) throw new AgentError(Code.INTERNAL, 'threads of a build without them');
    const pool = threads.shoal_threads_make(this.#session, count);
    for (let lane = 1; lane < count && pool !== 0; lane++) {
      const stack = threads.shoal_thread_stack();
      if (stack === 0) break;
      this.#threads.push(start({ module: this.module, memory: this.memory, pool, lane, stack }));
    }
    if (this.#threads.length !== count - 1)
      throw new AgentError(Code.RESOURCE_LIMIT, `there is no memory for ${count} threads`);
    await Promise.all(this.#threads.map(({ ready }) => ready));
  }

  get memory(): WebAssembly.Memory {
    return this.instance.memory;
  }

  get opCount(): number {
    return this.#exports.shoal_plan_op_count(this.#session);
  }

  get shards(): { readonly sha256: string; readonly bytes: number }[] {
    return Array.from({ length: this.#exports.shoal_plan_shard_count(this.#session) }, (_, index) => ({
      sha256: this.#text(this.#exports.shoal_plan_shard_sha256(this.#session, index), 64),
      bytes: this.#exports.shoal_plan_shard_bytes(this.#session, index),
    }));
  }

  // Where the bytes of a shard belong. Its memory is taken here.
  placeOf(index: number): Place {
    const at = this.#checkedPointer(this.#exports.shoal_plan_shard_memory(this.#session, index));
    const bytes = this.#exports.shoal_plan_shard_bytes(this.#session, index);
    return {
      view: () => {
        if (this.#session === 0) throw new AgentError(Code.CANCELLED, 'the plan was closed');
        return new Uint8Array(this.memory.buffer as ArrayBuffer, at, bytes);
      },
    };
  }

  // After the shards are there.
  prepare(limits: Limits): void {
    const words = Uint32Array.of(
      ...SYMBOLS.map((symbol) => limits[symbol] ?? 0),
      ...KV_BITS.map((name) => limits[name] ?? DEFAULT_KV_BITS),
    );
    this.#check(this.#with(words, (at) => this.#exports.shoal_plan_prepare(this.#session, at)));
  }

  get memoryUse(): MemoryOfPlan {
    const [weights, values, state, scratch] = this.#words(this.#exports.shoal_plan_memory(this.#session), 4);
    return { weights: weights!, values: values!, state: state!, scratch: scratch! };
  }

  // Undefined when the plan has no such signature.
  signature(name: string): number | undefined {
    const text = new TextEncoder().encode(name);
    const found = this.#with(text, (at) => this.#exports.shoal_plan_signature(this.#session, at, text.byteLength));
    return found < 0 ? undefined : found;
  }

  outputs(signature: number): OutputInfo[] {
    return Array.from({ length: this.#exports.shoal_plan_output_count(this.#session, signature) }, (_, index) => {
      const [name, size, symbol, columns] = this.#words(
        this.#exports.shoal_plan_output(this.#session, signature, index),
        4,
      );
      return { name: this.#text(name!, size!), rows: SYMBOLS[symbol!]!, columns: columns! };
    });
  }

  begin(signature: number, step: Step): void {
    const { rows, tokens, tokenTypes } = step;
    const words = new Int32Array(rows.length * ROW_WORDS + tokens.length + (tokenTypes?.length ?? 0));
    rows.forEach((row, index) =>
      words.set(
        [row.tokenCount, row.slot, row.past, row.memoryLength, row.wantsEveryOutput ? 1 : 0],
        index * ROW_WORDS,
      ),
    );
    words.set(tokens, rows.length * ROW_WORDS);
    if (tokenTypes !== undefined) words.set(tokenTypes, rows.length * ROW_WORDS + tokens.length);
    const status = this.#with(words, (at) => {
      const tokensAt = at + rows.length * ROW_WORDS * WORD;
      const typesAt = tokenTypes === undefined ? 0 : tokensAt + tokens.byteLength;
      return this.#exports.shoal_plan_begin(
        this.#session,
        signature,
        at,
        rows.length,
        tokensAt,
        tokens.length,
        typesAt,
      );
    });
    this.#check(status);
  }

  // Begins an answer: its number. While it is there: beginStep(), runLayer() while layers are left, endStep(), events.
  add(prompt: Int32Array, options: GenerateOptions): number {
    const { stopIds, logitBias, seed } = options;
    const key = new TextEncoder().encode(options.prefixKey);
    const promptAt = GENERATE_WORDS;
    const stopsAt = promptAt + prompt.length;
    const idsAt = stopsAt + stopIds.length;
    const biasesAt = idsAt + logitBias.length;
    const keyAt = biasesAt + logitBias.length;
    const words = new Int32Array(keyAt + Math.ceil(key.byteLength / WORD));
    const floats = new Float32Array(words.buffer);
    words.set(prompt, promptAt);
    words.set(stopIds, stopsAt);
    logitBias.forEach(([id, bias], index) => {
      words[idsAt + index] = id;
      floats[biasesAt + index] = bias;
    });
    new Uint8Array(words.buffer).set(key, keyAt * WORD);
    words.set([options.maxTokens, options.decoderStart], 0);
    floats[2] = options.temperature;
    words[3] = options.topK;
    floats.set(
      [options.topP, options.minP, options.repetitionPenalty, options.presencePenalty, options.frequencyPenalty],
      4,
    );
    words.set([Number(BigInt.asIntN(32, seed)), Number(BigInt.asIntN(32, seed >> 32n))], 9);
    words.set([options.logprobs ? 1 : 0, options.topLogprobs, options.masked ? 1 : 0], 16);
    return this.#checkedPointer(
      this.#with(words, (at) => {
        const view = new Uint32Array(this.memory.buffer, at, GENERATE_WORDS);
        const pointer = (index: number): number => at + index * WORD;
        view.set([pointer(stopsAt), stopIds.length, pointer(idsAt), pointer(biasesAt), logitBias.length], 11);
        view.set([pointer(keyAt), key.byteLength], 19);
        return this.#exports.shoal_sequence_add(this.#session, pointer(promptAt), prompt.length, at);
      }),
    );
  }

  // Nothing more is told of the answer.
  cancel(id: number): void {
    this.#exports.shoal_sequence_cancel(this.#session, id);
  }

  // Of a masked answer: which tokens may follow its first `position` ones.
  allow(id: number, position: number, allowed: Uint8Array): void {
    this.#check(
      this.#with(allowed, (at) =>
        this.#exports.shoal_sequence_allow(this.#session, id, position, at, allowed.byteLength),
      ),
    );
  }

  // False when there is nothing to run.
  beginStep(): boolean {
    const began = this.#exports.shoal_sequences_begin_step(this.#session);
    if (began < 0) throw this.#error();
    return began !== 0;
  }

  // Whether somebody waits for the step that has begun.
  get isWanted(): boolean {
    return this.#exports.shoal_sequences_is_wanted(this.#session) !== 0;
  }

  endStep(): void {
    this.#check(this.#exports.shoal_sequences_end_step(this.#session));
  }

  // Of a step that has not ended, if there is one.
  abandonStep(): void {
    this.#exports.shoal_sequences_abandon_step(this.#session);
  }

  // Since the last call.
  takeEvents(): SequenceEvent[] {
    const counter = this.#exports.shoal_alloc(WORD);
    if (counter === 0) throw new AgentError(Code.RESOURCE_LIMIT, 'there is no memory for a word');
    const at = this.#exports.shoal_sequences_events(this.#session, counter);
    const [count] = this.#words(counter, 1);
    this.#exports.shoal_free(counter);
    return Array.from({ length: count! }, (_, index) => this.#event(at + index * EVENT_WORDS * WORD));
  }

  #event(at: number): SequenceEvent {
    const [id, wasReading, reused, token, finished, error, , topCount, topAt] = this.#words(at, EVENT_WORDS);
    const [logprob] = new Float32Array(this.memory.buffer, at + 6 * WORD, 1);
    const ids = new Int32Array(this.memory.buffer, topAt, 2 * topCount!);
    const logprobs = new Float32Array(this.memory.buffer, topAt, 2 * topCount!);
    return {
      id: id!,
      wasReading: wasReading !== 0,
      reused: reused!,
      token: (token! | 0) === NO_TOKEN ? undefined : token!,
      finished: FINISHED[finished!],
      error: error === 0 ? undefined : this.#error(),
      logprob: logprob!,
      top: Array.from({ length: topCount! }, (_, index) => [ids[2 * index]!, logprobs[2 * index + 1]!] as const),
    };
  }

  get layersLeft(): number {
    return this.#exports.shoal_plan_layers_left(this.#session);
  }

  runLayer(): void {
    this.#check(this.#exports.shoal_plan_run_layer(this.#session));
  }

  // The rows of an output of the run that has ended: views of this memory, to be copied before anything else is called.
  rowsOf(signature: number, index: number): Float32Array[] {
    const view = this.#exports.shoal_plan_output(this.#session, signature, index);
    const [, , , columns, data, rows, stride] = this.#words(view, 7);
    if (data === 0) throw new AgentError(Code.INTERNAL, 'an output of a run that has not ended');
    return Array.from(
      { length: rows! },
      (_, row) => new Float32Array(this.memory.buffer, data! + row * stride! * WORD, columns),
    );
  }

  // Nothing may be called afterwards.
  close(): void {
    for (const thread of this.#threads) thread.end();
    this.#exports.shoal_plan_close(this.#session);
    this.#session = 0;
  }

  // Copies `data` into this memory for the time of the call.
  #with(data: Uint8Array | Uint32Array | Int32Array, call: (at: number) => number): number {
    const at = this.#exports.shoal_alloc(Math.max(1, data.byteLength));
    if (at === 0) throw new AgentError(Code.RESOURCE_LIMIT, `there is no memory for ${data.byteLength} bytes`);
    new Uint8Array(this.memory.buffer, at, data.byteLength).set(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    );
    const result = call(at);
    this.#exports.shoal_free(at);
    return result;
  }

  #check(status: number): void {
    if (status !== 0) throw this.#error();
  }

  #checkedPointer(pointer: number): number {
    if (pointer === 0) throw this.#error();
    return pointer;
  }

  #error(): AgentError {
    const [code, message, size] = this.#words(this.#exports.shoal_error(), 3);
    return new AgentError(code as Code, this.#text(message!, size!));
  }

  #words(at: number, count: number): Uint32Array {
    return new Uint32Array(this.memory.buffer, at, count).slice();
  }

  #text(at: number, size: number): string {
    // A copy: decoders refuse shared memory.
    return new TextDecoder().decode(new Uint8Array(this.memory.buffer, at, size).slice());
  }
}
