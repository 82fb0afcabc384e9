// The plan engine in a real browser: encoders against PyTorch, weights from the network and from the store, cancels, memory.
import type { Input } from '../../../browser_agent/harness/agent';
import { type Bench, startBench, whyNoBrowser } from '../../../browser_agent/harness/bench';
import {
  casesOf,
  generationsOf,
  type MadePlan,
  makePlan,
  modelFolder,
  promptOf,
  plansOnce,
  whyNoPlans,
  worstOf,
} from '../../../browser_agent/harness/plans';
import { DataType } from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';
import { Code } from '../../../browser_agent/src/protocol/outcome';

const why = whyNoBrowser() ?? whyNoPlans();
const MODELS = ['bert', 'bert_mlm', 'bert_qa', 'distilbert', 'roberta', 'xlm-roberta', 'electra', 'albert'];

describe.skipIf(why !== undefined)(`plans in a browser (${why ?? 'headless_shell'})`, () => {
  let bench: Bench;
  const planOf = plansOnce();
  const loadOf = (instance: string, { plan, shards }: MadePlan, planLimits: Record<string, bigint>) => ({
    instance,
    backend: 'wasm',
    engine: 'plan',
    ...bench.server.addBlob(plan.bytes),
    planLimits,
    external: shards.map(({ sha256, bytes }) => ({ path: sha256, ...bench.server.addBlob(bytes) })),
  });
  const limits = { B: 8n, T: 512n };
  beforeAll(async () => {
    bench = await startBench('wasm,webgpu');
  });
  afterAll(() => bench.stop());

  test.each(MODELS)('%s answers what PyTorch answers', async (model) => {
    const { end, error } = await bench.agent.load(loadOf(model, planOf(model), limits));
    expect(error?.message).toBeUndefined();
    expect(end!.loaded).toMatchObject({ fromCache: false, heavyElsewhere: [] });
    expect(end!.loaded!.nodes['wasm']).toBeGreaterThan(10);
    for (const one of casesOf(model)) {
      const run = await bench.agent.run({ instance: model }, one.inputs);
      expect(run.error?.message).toBeUndefined();
      for (const expected of one.expected) {
        const output = run.outputs.find(({ tensor }) => tensor.name === expected.name)!;
        const worst = worstOf(new Float32Array(output.bytes.buffer), expected, one.mask);
        expect([one.name, expected.name, worst]).toEqual([one.name, expected.name, worst <= 1 ? worst : 'at most 1']);
      }
    }
    expect((await bench.agent.unload(model)).error).toBeUndefined();
  });

  test('what was loaded before comes from the store; a damaged download is refused', async () => {
    const load = loadOf('again', planOf('bert'), limits);
    const before = bench.server.blobRequests.length;
    // The store is filled behind the load that fetched it.
    await expect
      .poll(async () => {
        const { end } = await bench.agent.load(load);
        await bench.agent.unload('again');
        return end!.loaded!.fromCache;
      })
      .toBe(true);
    expect(bench.server.blobRequests.length - before).toBeLessThanOrEqual(1 + load.external.length);

    const distil = makePlan(modelFolder('distilbert'), 16);
    const damaged = loadOf('damaged', distil, limits);
    const shard = damaged.external[0]!.sha256;
    const bytes = distil.shards[0]!.bytes.slice();
    bytes[100]! ^= 1;
    bench.server.corruptBlob(shard, bytes);
    const { error } = await bench.agent.load(damaged);
    expect(error).toMatchObject({ code: Code.INTERNAL, message: expect.stringContaining(`not ${shard}`) as string });
    bench.server.addBlob(distil.shards[0]!.bytes);
    expect((await bench.agent.load(damaged)).error).toBeUndefined();
    await bench.agent.unload('damaged');
  });

  test('other backends and engines refuse a plan by code', async () => {
    const load = loadOf('elsewhere', planOf('bert'), limits);
    expect((await bench.agent.load({ ...load, backend: 'webgpu' })).error).toMatchObject({
      code: Code.BACKEND_UNAVAILABLE,
      message: expect.stringContaining('webgpu') as string,
    });
    expect((await bench.agent.load({ ...load, engine: 'steam' })).error?.code).toBe(Code.INVALID_ARGUMENT);
    expect((await bench.agent.load({ ...load, planLimits: { B: 1n, T: 2n ** 24n } })).error?.code).toBe(
      Code.RESOURCE_LIMIT,
    );
  });

  test('memory is told while a plan is there, and no longer', async () => {
    const bytes = () => Number(bench.agent.heartbeats.at(-1)!.beat.wasmBytes);
    const before = bytes();
    await bench.agent.load(loadOf('large', planOf('bert'), { B: 8n, T: 65536n }));
    await expect.poll(bytes, { timeout: 5000 }).toBeGreaterThan(before + 100e6);
    await bench.agent.unload('large');
    // The other engine's runtime, which the worker fetches ahead, may have come meanwhile.
    await expect.poll(bytes, { timeout: 5000 }).toBeLessThan(before + 100e6);
  });

  test('a cancel ends a long run within a layer, and the engine lives on', async () => {
    await bench.agent.load(loadOf('long', planOf('bert'), { B: 512n, T: 65536n }));
    const input = (rows: number): Input[] => [
      {
        name: 'input_ids',
        datatype: DataType.INT32,
        shape: [rows, 120],
        bytes: new Uint8Array(Int32Array.from({ length: rows * 120 }, (_, at) => 5 + (at % 50)).buffer),
      },
    ];
    const whole = await bench.agent.run({ instance: 'long', outputs: ['embedding'] }, input(512));
    expect(whole.error?.message).toBeUndefined();
    const wholeMs = Number(whole.end!.computeUs) / 1000;
    const started = performance.now();
    const { workId, answer } = bench.agent.startRun({ instance: 'long', outputs: ['embedding'] }, input(512));
    // Once the engine computes, and not while the run waits.
    await new Promise((resolve) => setTimeout(resolve, wholeMs / 4));
    bench.agent.cancel(workId);
    expect((await answer).error?.code).toBe(Code.CANCELLED);
    expect(performance.now() - started).toBeLessThan(wholeMs * 0.8);
    expect((await bench.agent.run({ instance: 'long' }, input(1))).error).toBeUndefined();
    await bench.agent.unload('long');
  });

  const DECODERS = ['llama', 'llama3', 'qwen2', 'qwen3', 'gemma3_text', 'opt', 'gpt2', 'bloom', 'falcon'];
  const ENCODER_DECODERS = ['t5', 't5_gated', 'bart'];
  // Long answers: these models make thousands of tokens a second.
  const decoding = { B: 1n, T: 128n, R: 1n, N: 1n, S: 16384n, M: 128n };
  const idsOf = (outputs: readonly { readonly bytes: Uint8Array }[]) =>
    outputs.flatMap(({ bytes }) => [...new Int32Array(bytes.buffer)]);

  test.each([...DECODERS, ...ENCODER_DECODERS])('%s says what PyTorch says, token by token', async (model) => {
    const load = loadOf(model, planOf(model), { ...decoding, S: 96n });
    expect((await bench.agent.load(load)).error?.message).toBeUndefined();
    for (const { name, prompt, ids } of generationsOf(model)) {
      let parts = 0;
      const generate = { maxTokens: 24, decoderStart: planOf(model).decoderStart };
      const { answer } = bench.agent.startRun(
        { instance: model, generate: generate as never },
        [prompt],
        () => parts++,
      );
      const { outputs, end, error } = await answer;
      expect(error?.message).toBeUndefined();
      expect([name, idsOf(outputs)]).toEqual([name, ids]);
      expect(parts).toBeGreaterThan(1);
      expect(end).toMatchObject({ finishReason: 'length' });
      expect(Number(end!.prefillUs)).toBeGreaterThan(0);
      expect(Number(end!.decodeUs)).toBeGreaterThan(0);
    }
    await bench.agent.unload(model);
  });

  test('tokens come as they are made, and a cancel ends the answer within a step', async () => {
    await bench.agent.load(loadOf('chat', planOf('llama'), decoding));
    const arrived: number[] = [];
    let gotSome: () => void = () => undefined;
    const some = new Promise<void>((resolve) => (gotSome = resolve));
    const { workId, answer } = bench.agent.startRun(
      { instance: 'chat', generate: { maxTokens: 16000 } as never },
      [promptOf([1, 5, 9])],
      () => {
        arrived.push(performance.now());
        if (arrived.length === 3) gotSome();
      },
    );
    await some;
    bench.agent.cancel(workId);
    const { error, outputs: cut } = await answer;
    expect(error?.code).toBe(Code.CANCELLED);
    expect(idsOf(cut).length).toBeLessThan(15000);
    const { outputs, end } = await bench.agent.run({ instance: 'chat', generate: { maxTokens: 3 } as never }, [
      promptOf([1, 5, 9]),
    ]);
    expect([idsOf(outputs).length, end?.finishReason]).toEqual([3, 'length']);
    await bench.agent.unload('chat');
  });

  test('many answers at once are those of each alone; a cancel ends one of them', async () => {
    await bench.agent.load(loadOf('many', planOf('llama'), { ...decoding, B: 4n, R: 4n, N: 4n, T: 132n }));
    const run = { instance: 'many', generate: { maxTokens: 400 } as never };
    const prompts = [
      [1, 5, 9],
      [2, 6, 10, 14],
      [3, 7],
      [4, 8, 12, 16, 20],
      [1, 5, 9, 11],
      [30, 31],
    ].map(promptOf);
    const alone: number[][] = [];
    for (const prompt of prompts) alone.push(idsOf((await bench.agent.run(run, [prompt])).outputs));
    let parts = 0;
    const cut = bench.agent.startRun(
      { instance: 'many', generate: { maxTokens: 16000 } as never },
      [prompts[0]!],
      () => {
        if (++parts === 3) bench.agent.cancel(cut.workId);
      },
    );
    const together = await Promise.all(prompts.map((prompt) => bench.agent.run(run, [prompt])));
    expect(together.map(({ error }) => error?.message)).toEqual(prompts.map(() => undefined));
    expect(together.map(({ outputs }) => idsOf(outputs))).toEqual(alone);
    expect(Math.max(...together.map(({ end }) => end!.meanRows))).toBeGreaterThan(2);
    expect((await cut.answer).error?.code).toBe(Code.CANCELLED);
    await bench.agent.unload('many');
  });

  test('an answer that a broken connection has cut is told from its start on the next one', async () => {
    bench.agent.welcome(2, 'again'); // the engines start afresh
    await bench.agent.load(loadOf('resumed', planOf('llama'), decoding));
    const run = { instance: 'resumed', generate: { maxTokens: 5000 } as never };
    const whole = idsOf((await bench.agent.run(run, [promptOf([1, 5, 9])])).outputs);
    expect(whole).toHaveLength(5000);
    let parts = 0;
    const { workId, answer } = bench.agent.startRun(run, [promptOf([1, 5, 9])], () => {
      if (++parts === 2) bench.agent.socket.terminate();
    });
    expect((await answer).error?.message).toMatch('the connection closed');
    bench.agent = await bench.server.agent();
    expect(await bench.agent.hello).toMatchObject({ resumeToken: 'again', holding: [workId] });
    const held = bench.agent.held(workId);
    bench.agent.welcome();
    const { outputs, end, error } = await held;
    expect(error?.message).toBeUndefined();
    expect(end?.finishReason).toBe('length');
    expect(idsOf(outputs)).toEqual(whole);
    expect(bench.agent.problems).toEqual([]);
    await bench.agent.unload('resumed');
  });
});
