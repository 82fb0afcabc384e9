// The plan engine with the WASM that the browser gets, in Node: every encoder against PyTorch, in both builds.
import { readFileSync } from 'node:fs';
import type { Input } from '../../../browser_agent/harness/agent';
import {
  casesOf,
  engineWasm,
  type MadePlan,
  plansOnce,
  whyNoPlans,
  worstOf,
} from '../../../browser_agent/harness/plans';
import { loadOf, runOn, storeOf, unhurried } from '../../../browser_agent/harness/planRuns';
import type { RunControl, RunResult } from '../../../browser_agent/src/engine/engine';
import { PlanEngine, type PlanEngineParts } from '../../../browser_agent/src/engine/plan/planEngine';
import { Pooling_Kind as Kind } from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';
import { AgentError, Code } from '../../../browser_agent/src/protocol/outcome';

const why = whyNoPlans();
const MODELS = ['bert', 'bert_mlm', 'bert_qa', 'distilbert', 'roberta', 'xlm-roberta', 'electra', 'albert'];
function floatsOf(result: RunResult, name: string): Float32Array {
  let offset = 0;
  for (const tensor of result.tensors) {
    if (tensor.name === name)
      return new Float32Array(result.payload.slice(offset, offset + Number(tensor.byteSize)).buffer);
    offset += Number(tensor.byteSize);
  }
  throw new Error(`no output ${name}`);
}

describe.skipIf(why !== undefined).each(['simd128', 'relaxed_simd'] as const)(
  `plans on %s (${why ?? 'Node'})`,
  (variant) => {
    let module: WebAssembly.Module;
    const planOf = plansOnce();
    const forgotten: WebAssembly.Memory[] = [];
    const engineOf = (plan: MadePlan, parts: Partial<PlanEngineParts> = {}): PlanEngine =>
      new PlanEngine({
        store: storeOf(plan),
        compile: () => Promise.resolve(module),
        forget: (memory) => forgotten.push(memory),
        ...parts,
      });
    beforeAll(async () => {
      module = await WebAssembly.compile(readFileSync(engineWasm(variant)));
    });

    test.each(MODELS)('%s answers what PyTorch answers', async (model) => {
      const engine = engineOf(planOf(model));
      const loaded = await engine.load(loadOf(planOf(model)));
      expect(loaded.nodes['wasm']).toBeGreaterThan(10);
      for (const one of casesOf(model)) {
        const result = await runOn(engine, one.inputs);
        for (const expected of one.expected) {
          const worst = worstOf(floatsOf(result, expected.name), expected, one.mask);
          expect([one.name, expected.name, worst]).toEqual([one.name, expected.name, worst <= 1 ? worst : 'at most 1']);
        }
        expect(result.tensors.length).toBeGreaterThanOrEqual(one.expected.length);
      }
      await engine.unload('one');
    });

    test('a batch in many steps has the bits of a batch in one; unwanted outputs stay away', async () => {
      const engine = engineOf(planOf('bert'));
      await engine.load(loadOf(planOf('bert')));
      const one = casesOf('bert').find(({ inputs }) => inputs[0]!.shape[0]! > 1)!;
      const together = await runOn(engine, one.inputs, { outputs: ['embedding'] });
      expect(together.tensors.map((tensor) => [tensor.name, ...tensor.shape.map(Number)])).toEqual([
        ['embedding', one.inputs[0]!.shape[0], 64],
      ]);
      await engine.unload('one');
      await engine.load(loadOf(planOf('bert'), { B: 1n, T: 128n }));
      const apart = await runOn(engine, one.inputs, { outputs: ['embedding'] });
      expect(Buffer.from(apart.payload).equals(Buffer.from(together.payload))).toBe(true);
      // The plan's own vector is what pooling of its token states gives, but for the order of sums.
      const pooling = { kind: Kind.MEAN, normalize: true, output: 'last_hidden_state', mask: 'attention_mask' };
      const pooled = floatsOf(await runOn(engine, one.inputs, { pooling }), 'embedding');
      floatsOf(together, 'embedding').forEach((value, at) => expect(Math.abs(value - pooled[at]!)).toBeLessThan(1e-6));
    });

    test('a cancel ends a run between two layers, and the next run is whole', async () => {
      const engine = engineOf(planOf('bert'));
      await engine.load(loadOf(planOf('bert')));
      const one = casesOf('bert')[0]!;
      const before = await runOn(engine, one.inputs);
      let now = 0;
      const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 100));
      let breaths = 0;
      const control: RunControl = {
        ...unhurried,
        breathe: () => (++breaths === 2 ? Promise.reject(new AgentError(Code.CANCELLED, 'away')) : Promise.resolve()),
      };
      await expect(runOn(engine, one.inputs, {}, control)).rejects.toMatchObject({ code: Code.CANCELLED });
      clock.mockRestore();
      expect(breaths).toBe(2);
      const after = await runOn(engine, one.inputs);
      expect(Buffer.from(after.payload).equals(Buffer.from(before.payload))).toBe(true);
    });

    test('what is wrong is typed, and nothing of it stays', async () => {
      const bert = planOf('bert');
      const code = async (promise: Promise<unknown>) =>
        promise.then(
          () => 'done',
          (error: unknown) => (error instanceof AgentError ? Code[error.code] : String(error)),
        );
      const before = forgotten.length;
      const engine = engineOf(bert);
      const shards = loadOf(bert).external;
      expect(await code(engine.load({ ...loadOf(bert), external: [] }))).toBe('INVALID_ARGUMENT');
      expect(await code(engine.load({ ...loadOf(bert), external: [{ ...shards[0]!, byteSize: 5n }] }))).toBe(
        'INVALID_ARGUMENT',
      );
      expect(await code(engine.load(loadOf(bert, { Q: 1n })))).toBe('INVALID_ARGUMENT');
      expect(await code(engine.load(loadOf(bert, { B: 8n, T: 2n ** 24n })))).toBe('RESOURCE_LIMIT');
      const cut = { ...bert, plan: { ...bert.plan, bytes: bert.plan.bytes.slice(0, -9) } };
      expect(await code(engineOf(cut).load(loadOf(cut)))).toBe('INVALID_ARGUMENT');
      // Below the weights, and below what the executor needs beside them.
      expect(await code(engineOf(bert, { mostBytes: 3 * 1024 ** 2 }).load(loadOf(bert)))).toBe('RESOURCE_LIMIT');
      expect(await code(engineOf(bert, { mostBytes: 8 * 1024 ** 2 }).load(loadOf(bert, { B: 8n, T: 16384n })))).toBe(
        'RESOURCE_LIMIT',
      );
      expect(forgotten.length - before).toBe(6);

      await engine.load(loadOf(bert));
      expect(await code(engine.load(loadOf(bert)))).toBe('INVALID_ARGUMENT');
      const [ids] = casesOf('bert')[0]!.inputs as [Input];
      expect(await code(runOn(engine, []))).toBe('INVALID_ARGUMENT');
      expect(await code(runOn(engine, [ids], { outputs: ['q'] }))).toBe('INVALID_ARGUMENT');
      const beyond = BigInt64Array.of(1_000_000n);
      const far = { ...ids, shape: [1, 1], bytes: new Uint8Array(beyond.buffer) };
      expect(await code(runOn(engine, [far]))).toBe('INVALID_ARGUMENT');
      expect(await code(runOn(engine, [ids]))).toBe('done');
      await engine.unload('one');
      expect(await code(runOn(engine, [ids]))).toBe('NOT_FOUND');
      expect(await code(engine.unload('one'))).toBe('NOT_FOUND');
    });
  },
);
