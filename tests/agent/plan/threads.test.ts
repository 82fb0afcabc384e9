// The threaded builds of the plan engine in Node: the bits of one thread, and what becomes of threads that fail.
import { readFileSync } from 'node:fs';
import { startNodeThread } from '../../../browser_agent/harness/nodeThreads';
import { casesOf, engineWasm, generationsOf, plansOnce, whyNoPlans } from '../../../browser_agent/harness/plans';
import { loadOf, runOn, storeOf, unhurried } from '../../../browser_agent/harness/planRuns';
import type { RunControl } from '../../../browser_agent/src/engine/engine';
import { instantiateThread } from '../../../browser_agent/src/engine/plan/module';
import { PlanEngine } from '../../../browser_agent/src/engine/plan/planEngine';
import type { StartThread } from '../../../browser_agent/src/engine/plan/threads';
import { AgentError, Code } from '../../../browser_agent/src/protocol/outcome';

const why = whyNoPlans();

describe.skipIf(why !== undefined).each(['simd128', 'relaxed_simd'] as const)(
  `threads on %s (${why ?? 'Node'})`,
  (variant) => {
    let plain: WebAssembly.Module;
    let threaded: WebAssembly.Module;
    const planOf = plansOnce();
    const forgotten: WebAssembly.Memory[] = [];
    const engineOf = (model: string, count: number, start: StartThread = startNodeThread): PlanEngine =>
      new PlanEngine({
        store: storeOf(planOf(model)),
        compile: () => Promise.resolve(count === 1 ? plain : threaded),
        threads: count === 1 ? undefined : { count, start },
        forget: (memory) => forgotten.push(memory),
      });
    const vectorsOf = async (engine: PlanEngine): Promise<Buffer[]> => {
      const payloads: Buffer[] = [];
      for (const { inputs } of casesOf('bert')) payloads.push(Buffer.from((await runOn(engine, inputs)).payload));
      return payloads;
    };
    beforeAll(async () => {
      plain = await WebAssembly.compile(readFileSync(engineWasm(variant)));
      threaded = await WebAssembly.compile(readFileSync(engineWasm(`threads_${variant}`)));
    });

    test('an encoder on two, three and five threads has the bits of one', async () => {
      const alone = engineOf('bert', 1);
      await alone.load(loadOf(planOf('bert')));
      const expected = await vectorsOf(alone);
      expect(expected.length).toBeGreaterThan(2);
      for (const count of [2, 3, 5]) {
        const engine = engineOf('bert', count);
        await engine.load(loadOf(planOf('bert')));
        for (let turn = 0; turn < 5; turn++)
          (await vectorsOf(engine)).forEach((payload, at) => expect(payload.equals(expected[at]!)).toBe(true));
        await engine.unload('one');
      }
    });

    test.each(['llama', 'gemma3_text'])('%s on two threads says what PyTorch says', async (model) => {
      const engine = engineOf(model, 2);
      await engine.load(loadOf(planOf(model), { B: 1n, T: 16n, R: 1n, N: 1n, S: 96n }));
      for (const { prompt, ids } of generationsOf(model)) {
        const actual: number[] = [];
        const output: RunControl['output'] = ({ payload }) => actual.push(...new Int32Array(payload.buffer));
        await runOn(engine, [prompt], { generate: { maxTokens: 24 } as never }, { ...unhurried, output });
        expect(actual).toEqual(ids);
      }
      await engine.unload('one');
    });

    test('a thread that never comes is not waited for', async () => {
      const alone = engineOf('bert', 1);
      await alone.load(loadOf(planOf('bert')));
      let ended = 0;
      const absent: StartThread = () => ({ ready: Promise.resolve(), end: () => void ended++ });
      const engine = engineOf('bert', 4, absent);
      await engine.load(loadOf(planOf('bert')));
      expect(await vectorsOf(engine)).toEqual(await vectorsOf(alone));
      await engine.unload('one');
      expect(ended).toBe(3);
    });

    test('a thread that traps makes the run trap', async () => {
      let trap: () => void = () => undefined;
      const start: StartThread = ({ module, memory, pool }) => ({
        ready: instantiateThread(module, memory).then((exports) => {
          trap = () => exports.shoal_thread_trapped(pool);
        }),
        end: () => undefined,
      });
      const engine = engineOf('bert', 2, start);
      await engine.load(loadOf(planOf('bert')));
      await vectorsOf(engine);
      trap();
      await expect(vectorsOf(engine)).rejects.toBeInstanceOf(WebAssembly.RuntimeError);
    });

    test('a load whose threads cannot be had fails, and nothing of it stays', async () => {
      let ended = 0;
      const refused: StartThread = () => ({
        ready: Promise.reject(new AgentError(Code.UNAVAILABLE, 'no thread')),
        end: () => void ended++,
      });
      const before = forgotten.length;
      const engine = engineOf('bert', 3, refused);
      await expect(engine.load(loadOf(planOf('bert')))).rejects.toMatchObject({ code: Code.UNAVAILABLE });
      expect([ended, forgotten.length - before]).toEqual([2, 1]);
      await expect(engine.unload('one')).rejects.toMatchObject({ code: Code.NOT_FOUND });
    });
  },
);
