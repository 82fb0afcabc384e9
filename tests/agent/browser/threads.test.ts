// The plan engine on two threads in a real browser: the bits of one thread.
import { type Bench, startBench, whyNoBrowser } from '../../../browser_agent/harness/bench';
import { casesOf, generationsOf, plansOnce, whyNoPlans } from '../../../browser_agent/harness/plans';

const why = whyNoBrowser() ?? whyNoPlans();

describe.skipIf(why !== undefined)(`threads in a browser (${why ?? 'headless_shell'})`, () => {
  const planOf = plansOnce();
  const loadOf = (bench: Bench, model: string, planLimits: Record<string, bigint>) => ({
    instance: model,
    backend: 'wasm',
    engine: 'plan',
    ...bench.server.addBlob(planOf(model).plan.bytes),
    planLimits,
    external: planOf(model).shards.map(({ sha256, bytes }) => ({ path: sha256, ...bench.server.addBlob(bytes) })),
  });
  // What all cases give, and which module the page took.
  const answersOn = async (threads: number): Promise<{ answers: Buffer[]; modules: string[] }> => {
    const bench = await startBench('wasm', threads);
    try {
      const answers: Buffer[] = [];
      for (const model of ['bert', 'qwen2']) {
        const isEncoder = model === 'bert';
        const limits = isEncoder ? { B: 8n, T: 512n } : { B: 1n, T: 16n, R: 1n, N: 1n, S: 96n };
        const { error } = await bench.agent.load(loadOf(bench, model, limits));
        expect(error?.message).toBeUndefined();
        const inputs = isEncoder
          ? casesOf(model).map((one) => one.inputs)
          : generationsOf(model).map(({ prompt }) => [prompt]);
        for (const one of inputs) {
          const generate = isEncoder ? {} : { generate: { maxTokens: 24 } as never };
          const run = await bench.agent.run({ instance: model, ...generate }, one);
          expect(run.error?.message).toBeUndefined();
          answers.push(...run.outputs.map(({ bytes }) => Buffer.from(bytes)));
        }
        expect((await bench.agent.unload(model)).error).toBeUndefined();
      }
      return { answers, modules: bench.server.fileRequests.filter((path) => path.endsWith('.wasm')) };
    } finally {
      await bench.stop();
    }
  };

  test('encoders and decoders have the bits of one thread', async () => {
    const one = await answersOn(1);
    const two = await answersOn(2);
    expect(one.modules.filter((path) => path.includes('plan/'))).toEqual(['/agent/plan/engine_relaxed_simd.wasm']);
    expect(two.modules.filter((path) => path.includes('plan/'))).toEqual([
      '/agent/plan/engine_threads_relaxed_simd.wasm',
    ]);
    expect(one.answers.length).toBeGreaterThan(4);
    expect(Buffer.concat(two.answers).equals(Buffer.concat(one.answers))).toBe(true);
  });
});
