// The runs of one plan that generate: all of them share each step (engine/runtime/sequence_engine.hpp), and each has its own
// outputs and end. A token is sent as soon as it is made; those of a model that makes more than a few hundred a second go
// together. After each step and between layers the worker may hear of new runs, cancels and masks.
import type { Generate, Run } from '../../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code } from '../../protocol/outcome';
import type { RunControl, RunResult } from '../engine';
import { intInputs } from './inputs';
import { BREATH_MS } from './layers';
import type { GenerateOptions, PlanSession, SequenceEvent } from './session';
import { type Made, packed } from './tokens';

// Whoever passes tokens on is kept busy by that, and must hear cancels beside it.
const TOGETHER_MS = 4;

interface Going {
  readonly options: Generate;
  readonly control: RunControl;
  readonly started: number;
  readonly resolve: (result: RunResult) => void;
  readonly reject: (error: unknown) => void;
  unsent: Made[];
  sentAt: number;
  prefillMs: number;
  decodeMs: number;
  reused: number;
  // Of the steps after the prompt, and of the rows in them that were after theirs.
  steps: number;
  rows: number;
}

export class Generations {
  readonly #going = new Map<number, Going>();
  #isDriven = false;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor(private readonly session: PlanSession) {}

  run(options: Generate, run: Run, payload: Uint8Array, control: RunControl): Promise<RunResult> {
    const tokens = intInputs(run.inputs, payload, ['tokens']).get('tokens');
    if (tokens === undefined) throw new AgentError(Code.INVALID_ARGUMENT, "the input 'tokens' is missing");
    const id = this.session.add(tokens.data, optionsOf(options));
    return new Promise((resolve, reject) => {
      this.#going.set(id, {
        options,
        control,
        started: performance.now(),
        resolve,
        reject,
        unsent: [],
        sentAt: -Infinity,
        prefillMs: 0,
        decodeMs: 0,
        reused: 0,
        steps: 0,
        rows: 0,
      });
      control.onNews(() => this.#wake?.());
      this.#wake?.();
      if (!this.#isDriven) void this.#drive();
    });
  }

  // Ends all runs. The session may be closed afterwards.
  close(): void {
    this.#isClosed = true;
    this.#endAll(new AgentError(Code.CANCELLED, 'the plan was unloaded'));
    this.#wake?.();
  }

  async #drive(): Promise<void> {
    this.#isDriven = true;
    try {
      this.#hear();
      while (this.#going.size > 0) {
        if (!(await this.#step())) await this.#news();
        await this.#breathe();
      }
    } catch (error) {
      const left = [...this.#going.keys()];
      this.#endAll(error);
      // A trap leaves nothing to be tidied.
      if (error instanceof AgentError) {
        for (const id of left) this.session.cancel(id);
        this.session.abandonStep();
      }
    } finally {
      this.#isDriven = false;
    }
  }

  // False when nobody can go on.
  async #step(): Promise<boolean> {
    const began = performance.now();
    if (!this.session.beginStep()) return false;
    let breathed = began;
    while (this.session.layersLeft > 0) {
      if (performance.now() - breathed > BREATH_MS) {
        await this.#breathe();
        if (this.#isClosed) return true;
        if (!this.session.isWanted) {
          this.session.abandonStep();
          return true;
        }
        breathed = performance.now();
      }
      this.session.runLayer();
    }
    this.session.endStep();
    const events = this.session.takeEvents();
    const tookMs = performance.now() - began;
    const writing = events.filter((event) => !event.wasReading).length;
    for (const event of events) this.#take(event, tookMs, writing);
    return true;
  }

  // Until a mask, a cancel or another run comes.
  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  async #breathe(): Promise<void> {
    const [first] = this.#going.values();
    await first?.control.pause();
    this.#hear();
  }

  #hear(): void {
    for (const [id, { control, reject }] of this.#going) {
      if (control.isCancelled) {
        this.session.cancel(id);
        this.#going.delete(id);
        reject(new AgentError(Code.CANCELLED, 'cancelled by the server'));
        continue;
      }
      try {
        for (const { position, allowed } of control.takeMasks()) this.session.allow(id, position, allowed);
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        this.session.cancel(id);
        this.#going.delete(id);
        reject(error);
      }
    }
    // What masks have set free, and what was over before it began.
    if (this.#going.size > 0) for (const event of this.session.takeEvents()) this.#take(event, 0, 0);
  }

  // Of a step with so many rows that were after their prompts; 0 without a step.
  #take(event: SequenceEvent, stepMs: number, writing: number): void {
    const going = this.#going.get(event.id);
    if (going === undefined) return;
    going.reused = event.reused;
    if (event.wasReading) going.prefillMs += stepMs;
    else {
      going.decodeMs += stepMs;
      if (writing > 0) going.steps++;
      going.rows += writing;
    }
    const { token, logprob, top, finished, error } = event;
    if (token !== undefined) going.unsent.push({ token, logprob, top });
    const isOver = finished !== undefined || error !== undefined;
    this.#send(going, isOver || going.options.masked);
    if (!isOver) return;
    this.#going.delete(event.id);
    if (error !== undefined) return going.reject(error);
    going.resolve({
      tensors: [],
      payload: new Uint8Array(0),
      computeUs: Math.round((performance.now() - going.started) * 1000),
      finish: {
        finishReason: finished!,
        prefillUs: micros(going.prefillMs),
        decodeUs: micros(going.decodeMs),
        cachedTokens: going.reused,
        meanRows: going.steps === 0 ? 0 : going.rows / going.steps,
      },
    });
  }

  #send(going: Going, isAtOnce: boolean): void {
    const now = performance.now();
    if (going.unsent.length === 0 || (!isAtOnce && now - going.sentAt < TOGETHER_MS)) return;
    const { logprobs, topLogprobs } = going.options;
    going.control.output(packed(going.unsent, logprobs ? topLogprobs : undefined));
    going.unsent = [];
    going.sentAt = now;
  }

  #endAll(error: unknown): void {
    const all = [...this.#going.values()];
    this.#going.clear();
    for (const { reject } of all) reject(error);
  }
}

function optionsOf(generate: Generate): GenerateOptions {
  const { maxTokens, stopIds, decoderStart, sampling, logprobs, topLogprobs, masked, prefixKey } = generate;
  return {
    maxTokens,
    stopIds,
    decoderStart,
    temperature: sampling?.temperature ?? 0,
    topK: sampling?.topK ?? 0,
    topP: sampling?.topP ?? 0,
    minP: sampling?.minP ?? 0,
    repetitionPenalty: sampling?.repetitionPenalty ?? 0,
    presencePenalty: sampling?.presencePenalty ?? 0,
    frequencyPenalty: sampling?.frequencyPenalty ?? 0,
    seed: sampling?.seed ?? 0n,
    logitBias: Object.entries(sampling?.logitBias ?? {}).map(([id, bias]) => [Number(id), bias] as const),
    logprobs,
    topLogprobs,
    masked,
    prefixKey,
  };
}

const micros = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1000));
