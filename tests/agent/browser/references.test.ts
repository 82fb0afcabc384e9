// Reference models on every backend against PyTorch's outputs; placement as reported. The whole set: harness/table.ts.
import { type Bench, startBench, whyNoBrowser } from '../../../browser_agent/harness/bench';
import { compare } from '../../../browser_agent/harness/compare';
import { type Graph, graphsOf } from '../../../browser_agent/harness/fixtures';
import { fixtures } from '../../../browser_agent/harness/paths';

const why =
  whyNoBrowser() ?? (fixtures === undefined ? 'SHOAL_FIXTURES does not name the reference models' : undefined);
const MODELS = ['bert', 'resnet', 'vit'];

describe.skipIf(why !== undefined).each(['wasm', 'webgpu', 'webnn'] as const)(
  `%s (${why ?? 'headless_shell'})`,
  (backend) => {
    let bench: Bench;
    beforeAll(async () => {
      bench = await startBench(backend);
    });
    afterAll(() => bench.stop());

    test.each(MODELS)('%s', async (model) => {
      const [graph] = (await graphsOf(fixtures!, model, () => Promise.reject(new Error('no embeddings needed')))) as [
        Graph,
      ];
      const load = await bench.agent.load({
        instance: model,
        backend,
        ...bench.server.addBlob(graph.bytes),
        ...(backend === 'webnn' && { freeDimensions: graph.freeDimensions }),
      });
      expect(load.error?.message).toBeUndefined();
      expect(load.end!.loaded!.heavyElsewhere).toEqual([]);
      expect(load.end!.loaded!.nodes[backend]).toBeGreaterThan(10);
      const run = await bench.agent.run({ instance: model }, graph.inputs);
      expect(run.error?.message).toBeUndefined();
      expect(Number(run.end!.computeUs)).toBeGreaterThan(0);
      for (const { name, data, atol, rtol } of graph.expected) {
        const output = run.outputs.find(({ tensor }) => tensor.name === name)!;
        expect(compare(new Float32Array(output.bytes.buffer), data, atol, rtol)).toMatchObject({ agrees: true });
      }
      await bench.agent.unload(model);
    });
  },
);
