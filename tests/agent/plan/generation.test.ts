// Generation by the plan engine in Node: greedy tokens of PyTorch, sampling by seed, limits, cancels.
import { readFileSync } from 'node:fs';
import { engineWasm, generationsOf, promptOf, plansOnce, whyNoPlans } from '../../../browser_agent/harness/plans';
import { loadOf, runOn, storeOf, unhurried } from '../../../browser_agent/harness/planRuns';
import type { RunControl, RunResult } from '../../../browser_agent/src/engine/engine';
import { PlanEngine } from '../../../browser_agent/src/engine/plan/planEngine';
import { AgentError, Code } from '../../../browser_agent/src/protocol/outcome';

const why = whyNoPlans();
const DECODERS = ['llama', 'llama3', 'qwen2', 'qwen3', 'gemma3_text', 'opt', 'gpt2', 'bloom', 'falcon'];
const ENCODER_DECODERS = ['t5', 't5_gated', 'bart'];
// A prompt of these models takes several chunks of T.
const LIMITS = { B: 1n, T: 16n, R: 1n, N: 1n, S: 96n };

interface Answered {
  readonly ids: readonly number[];
  readonly result: RunResult;
}

describe.skipIf(why !== undefined).each(['simd128', 'relaxed_simd'] as const)(
  `generation on %s (${why ?? 'Node'})`,
  (variant) => {
    let module: WebAssembly.Module;
    const planOf = plansOnce();
    const loaded = async (model: string, limits: Record<string, bigint> = LIMITS): Promise<PlanEngine> => {
      const engine = new PlanEngine({
        store: storeOf(planOf(model)),
        compile: () => Promise.resolve(module),
        forget: () => undefined,
      });
      await engine.load(loadOf(planOf(model), limits));
      return engine;
    };
    const answer = async (
      engine: PlanEngine,
      prompt: ReturnType<typeof promptOf>,
      generate: object,
      control: Partial<RunControl> = {},
    ): Promise<Answered> => {
      const ids: number[] = [];
      const output: RunControl['output'] = ({ tensors, payload }) => {
        const some = new Int32Array(payload.buffer);
        expect(tensors.map(({ name, shape }) => [name, ...shape])).toEqual([['tokens', BigInt(some.length)]]);
        ids.push(...some);
      };
      const result = await runOn(
        engine,
        [prompt],
        { generate },
        Object.create({ ...unhurried, output }, Object.getOwnPropertyDescriptors(control)) as RunControl,
      );
      return { ids, result };
    };
    const codeOf = (promise: Promise<unknown>): Promise<string> =>
      promise.then(
        () => 'done',
        (error: unknown) => (error instanceof AgentError ? Code[error.code] : String(error)),
      );
    beforeAll(async () => {
      module = await WebAssembly.compile(readFileSync(engineWasm(variant)));
    });

    test.each([...DECODERS, ...ENCODER_DECODERS])('%s says what PyTorch says', async (model) => {
      const limits = ENCODER_DECODERS.includes(model) ? { ...LIMITS, T: 128n, M: 128n } : LIMITS;
      const engine = await loaded(model, limits);
      const cases = generationsOf(model);
      expect(cases.length).toBeGreaterThan(2);
      for (const { name, prompt, ids } of cases) {
        const { decoderStart } = planOf(model);
        const { ids: actual, result } = await answer(engine, prompt, { maxTokens: 24, decoderStart });
        expect([name, actual]).toEqual([name, ids]);
        expect(ids).toHaveLength(24);
        expect(result.tensors).toEqual([]);
        expect(result.finish).toMatchObject({ finishReason: 'length' });
        expect(Number(result.finish!.prefillUs + result.finish!.decodeUs)).toBeLessThanOrEqual(result.computeUs + 1);
      }
    });

    test('an answer ends before a stop id, and where its context is full', async () => {
      const engine = await loaded('llama');
      const { prompt, ids } = generationsOf('llama')[0]!;
      const stop = ids.find((id, at) => at > 1 && ids.indexOf(id) === at)!;
      const stopped = await answer(engine, prompt, { maxTokens: 24, stopIds: [stop] });
      expect(stopped.ids).toEqual(ids.slice(0, ids.indexOf(stop)));
      expect(stopped.result.finish?.finishReason).toBe('stop');

      const short = await loaded('llama', { ...LIMITS, S: BigInt(prompt.shape[0]! + 3) });
      const full = await answer(short, prompt, { maxTokens: 24 });
      expect(full.result.finish?.finishReason).toBe('length');
      expect(full.ids).toEqual(ids.slice(0, full.ids.length));
      expect(full.ids.length).toBeGreaterThanOrEqual(3);
      expect(full.ids.length).toBeLessThan(6);
      const narrow = await loaded('llama', { ...LIMITS, S: BigInt(prompt.shape[0]! - 1) });
      expect(await codeOf(answer(narrow, prompt, { maxTokens: 24 }))).toBe('CONTEXT_LENGTH_EXCEEDED');
    });

    test('a seed repeats an answer, another one does not; a bias forbids a token', async () => {
      const engine = await loaded('llama');
      const { prompt, ids } = generationsOf('llama')[0]!;
      const sampled = async (seed: bigint) =>
        (await answer(engine, prompt, { maxTokens: 16, sampling: { temperature: 1.5, topK: 40, topP: 0.95, seed } }))
          .ids;
      const first = await sampled(7n);
      expect(await sampled(7n)).toEqual(first);
      expect(await sampled(2n ** 40n + 7n)).not.toEqual(first);
      const logitBias = { [ids[0]!]: -100 };
      const without = await answer(engine, prompt, { maxTokens: 16, sampling: { logitBias } });
      expect(without.ids).not.toContain(ids[0]);
    });

    test('a cancel ends it between two tokens, and the next answer is whole', async () => {
      const engine = await loaded('llama');
      const { prompt, ids } = generationsOf('llama')[0]!;
      const before: number[] = [];
      const cancelled = answer(
        engine,
        prompt,
        { maxTokens: 1000 },
        {
          output: ({ payload }) => void before.push(...new Int32Array(payload.buffer)),
          get isCancelled() {
            return before.length >= 5;
          },
        },
      );
      expect(await codeOf(cancelled)).toBe('CANCELLED');
      expect(before.length).toBeGreaterThanOrEqual(5);
      expect(before.slice(0, ids.length)).toEqual(ids.slice(0, before.length));
      expect((await answer(engine, prompt, { maxTokens: 24 })).ids).toEqual(ids);
    });

    test('many at once say what each says alone, whenever they come or are cancelled', async () => {
      const engine = await loaded('llama', { ...LIMITS, B: 4n, R: 4n, N: 4n, T: 20n });
      const cases = generationsOf('llama');
      const meanRows: number[] = [];
      let going = 0;
      // Steps take turns with those that come.
      const control = { pause: () => new Promise<void>((resolve) => setImmediate(resolve)) };
      const all = Array.from({ length: 12 }, async (_, at) => {
        const { prompt, ids } = cases[at % cases.length]!;
        // No more than there are places.
        while (going >= 4) await control.pause();
        going++;
        let parts = 0;
        const isCut = at % 5 === 4;
        const answered = answer(
          engine,
          prompt,
          { maxTokens: 24 },
          {
            ...control,
            get isCancelled() {
              return isCut && ++parts > 3;
            },
          },
        );
        const said = await answered.then(
          ({ ids: made, result }) => ({ ids: made, result }),
          (error: unknown) => ({ ids: String(error), result: undefined }),
        );
        going--;
        if (isCut) return expect(said.ids).toMatch('cancelled');
        expect(said.ids).toEqual(ids);
        return meanRows.push(said.result!.finish!.meanRows);
      });
      await Promise.all(all);
      expect(Math.max(...meanRows)).toBeGreaterThan(2);
      const again = await answer(engine, cases[0]!.prompt, { maxTokens: 24 });
      expect(again.ids).toEqual(cases[0]!.ids);
      expect(again.result.finish!.cachedTokens).toBe(cases[0]!.prompt.shape[0]! - 1);
      const apart = await answer(engine, cases[0]!.prompt, { maxTokens: 24, prefixKey: 'another' });
      expect([apart.ids, apart.result.finish!.cachedTokens]).toEqual([cases[0]!.ids, 0]);
    });

    test('more than there are places are refused', async () => {
      const engine = await loaded('llama');
      const { prompt, ids } = generationsOf('llama')[0]!;
      const first = answer(engine, prompt, { maxTokens: 24 });
      expect(await codeOf(answer(engine, prompt, { maxTokens: 24 }))).toBe('RESOURCE_LIMIT');
      expect((await first).ids).toEqual(ids);
    });

    test('log probabilities go with the tokens', async () => {
      const engine = await loaded('llama');
      const { prompt, ids } = generationsOf('llama')[0]!;
      const told: number[][] = [[], [], [], []];
      await answer(
        engine,
        prompt,
        { maxTokens: 8, logprobs: true, topLogprobs: 3 },
        {
          output: ({ tensors, payload }) => {
            expect(tensors.map(({ name }) => name)).toEqual(['tokens', 'logprobs', 'top_ids', 'top_logprobs']);
            let at = 0;
            for (const [index, { byteSize }] of tensors.entries()) {
              const bytes = payload.slice(at, (at += Number(byteSize)));
              told[index]!.push(...(index % 2 === 0 ? new Int32Array(bytes.buffer) : new Float32Array(bytes.buffer)));
            }
          },
        },
      );
      expect(told[0]).toEqual(ids.slice(0, 8));
      expect(told.map(({ length }) => length)).toEqual([8, 8, 24, 24]);
      // Greedy: the likeliest is the one that was made.
      expect(told[2]!.filter((_, at) => at % 3 === 0)).toEqual(told[0]);
      expect(told[3]!.filter((_, at) => at % 3 === 0)).toEqual(told[1]);
      expect(Math.max(...told[3]!)).toBeLessThan(0);
      expect(Math.exp(told[1]![0]!)).toBeLessThan(1);
    });

    test('a masked answer has only what masks allow, and waits for them', async () => {
      const engine = await loaded('llama', { ...LIMITS, B: 2n, R: 2n, N: 2n });
      const { prompt, ids } = generationsOf('llama')[0]!;
      let news: () => void = () => undefined;
      let masks: { position: number; allowed: Uint8Array }[] = [];
      const allow = (position: number, id: number): void => {
        const allowed = new Uint8Array(Math.ceil((id + 1) / 8));
        allowed[id >> 3]! |= 1 << (id & 7);
        masks.push({ position, allowed });
        news();
      };
      const made: number[] = [];
      const masked = answer(
        engine,
        prompt,
        { maxTokens: 5, masked: true },
        {
          pause: () => new Promise<void>((resolve) => setImmediate(resolve)),
          onNews: (listener) => (news = listener),
          takeMasks: () => {
            const taken = masks;
            masks = [];
            return taken;
          },
          output: ({ payload }) => {
            made.push(...new Int32Array(payload.buffer));
            if (made.length < 5) setImmediate(() => allow(made.length, 40 + made.length));
          },
        },
      );
      expect((await answer(engine, prompt, { maxTokens: 24 })).ids).toEqual(ids);
      expect(made).toEqual([]);
      allow(0, 40);
      expect((await masked).result.finish).toMatchObject({ finishReason: 'length' });
      expect(made).toEqual([40, 41, 42, 43, 44]);
    });

    test('what is wrong is typed', async () => {
      const engine = await loaded('llama');
      const { vocabulary } = planOf('llama');
      const refused = (prompt: ReturnType<typeof promptOf>, generate: object) =>
        codeOf(answer(engine, prompt, generate));
      expect(await refused(promptOf([]), { maxTokens: 4 })).toBe('INVALID_ARGUMENT');
      expect(await refused(promptOf([vocabulary]), { maxTokens: 4 })).toBe('INVALID_ARGUMENT');
      expect(await refused(promptOf([1]), { maxTokens: 4, sampling: { temperature: -1 } })).toBe('INVALID_ARGUMENT');
      expect(await refused(promptOf([1]), { maxTokens: 4, sampling: { topP: 2 } })).toBe('INVALID_ARGUMENT');
      expect(await codeOf(runOn(engine, [promptOf([1])]))).toBe('INVALID_ARGUMENT');
      expect(await codeOf(runOn(engine, [], { generate: { maxTokens: 1 } as never }))).toBe('INVALID_ARGUMENT');
      expect(await refused(promptOf([1]), { maxTokens: 2 })).toBe('done');
      const encoder = await loaded('bert', { B: 1n, T: 64n });
      expect(await codeOf(answer(encoder, promptOf([1]), { maxTokens: 1 }))).toBe('INVALID_ARGUMENT');
    });
  },
);
