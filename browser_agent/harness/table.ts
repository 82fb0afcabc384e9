// Runs every ONNX graph of the reference models on every backend, in a real browser through the agent's protocol, and prints
// one row per graph: node harness/run.mjs table [--backends wasm,webgpu,webnn] [--models bert,gpt2] [--json FILE] [--markdown FILE]
// Needs SHOAL_FIXTURES, headless_shell and a built dist. wasm comes first: its outputs stand in where PyTorch gave none.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Code } from '../src/protocol/outcome';
import { BACKENDS, type Backend } from '../src/engine/messages';
import type { Agent, Answer } from './agent';
import { type Browser, startBrowser } from './browser';
import { compare, unitRows } from './compare';
import { type Cell, markdown, type Report, summary } from './report';
import { type Expected, type Graph, graphsOf, modelNames } from './fixtures';
import { fixtures, repositoryRoot } from './paths';
import { AgentServer } from './server';

const { values: options } = parseArgs({
  options: {
    backends: { type: 'string' },
    models: { type: 'string' },
    json: { type: 'string' },
    markdown: { type: 'string' },
  },
});
if (fixtures === undefined) throw new Error('SHOAL_FIXTURES does not name the reference models');
const WORK_MS = 240_000;

// One browser with one backend; a fresh one after it was lost.
class Bench {
  #browser: Browser | undefined;
  #agent: Agent | undefined;
  #instances = 0;

  constructor(
    private readonly server: AgentServer,
    private readonly backend: Backend,
  ) {}

  async agent(): Promise<Agent> {
    if (this.#agent !== undefined) return this.#agent;
    this.#browser = await startBrowser(this.server.pageUrl(this.backend));
    this.#agent = await this.server.agent();
    ({ userAgent } = await this.#agent.hello);
    this.#agent.welcome();
    return this.#agent;
  }

  async stop(): Promise<void> {
    await this.#browser?.stop();
    this.#browser = undefined;
    this.#agent = undefined;
  }

  // The load's answer and, when it loaded, the run's.
  async answers(
    graph: Pick<Graph, 'bytes' | 'freeDimensions' | 'inputs'>,
  ): Promise<{ readonly load: Answer; readonly run?: Answer }> {
    const agent = await this.agent();
    const instance = `graph-${this.#instances++}`;
    const load = await this.#bounded(
      agent.load({
        instance,
        backend: this.backend,
        ...this.server.addBlob(graph.bytes),
        ...(this.backend === 'webnn' && { freeDimensions: graph.freeDimensions }),
      }),
    );
    if (load.error !== undefined) return { load };
    const run = await this.#bounded(agent.run({ instance }, graph.inputs));
    await agent.unload(instance);
    return { load, run };
  }

  async #bounded(answer: Promise<Answer>): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Answer>((resolve) => {
      timer = setTimeout(
        () =>
          resolve({
            outputs: [],
            error: {
              code: Code.DEADLINE_EXCEEDED,
              message: `no answer within ${WORK_MS} ms`,
              detail: '',
              operator: '',
            } as Answer['error'] & object,
          }),
        WORK_MS,
      );
    });
    const first = await Promise.race([answer, late]);
    clearTimeout(timer);
    if (first.error !== undefined && (first.error.code === undefined || first.error.code === Code.DEADLINE_EXCEEDED))
      await this.stop();
    return first;
  }
}

let userAgent = '';
const wasmOutputs = new Map<string, ReadonlyMap<string, Float32Array>>();
const key = (graph: Graph): string => `${graph.model}/${graph.file}`;

function cellOf(graph: Graph, backend: Backend, { load, run }: { readonly load: Answer; readonly run?: Answer }): Cell {
  const loaded = load.end?.loaded;
  const placement = loaded && {
    nodes: loaded.nodes,
    heavyElsewhere: loaded.heavyElsewhere,
    buildMs: Number(loaded.buildUs) / 1000,
  };
  const error = load.error ?? run?.error;
  if (error !== undefined) {
    const isTyped = [
      Code.OPERATOR_NOT_SUPPORTED,
      Code.PRECISION_NOT_SUPPORTED,
      Code.GRAPH_BUILDING_ERROR,
      Code.RESOURCE_LIMIT,
    ].includes(error.code);
    return {
      outcome: isTyped ? 'refused' : 'failed',
      ...placement,
      code: Code[error.code] ?? String(error.code),
      operator: error.operator,
      message: error.message,
      detail: error.detail,
    };
  }
  const outputs = new Map(
    run!.outputs.map(({ tensor, bytes }) => [tensor.name, new Float32Array(bytes.buffer)] as const),
  );
  const references = graph.expected.filter((expected) => outputs.get(expected.name)?.length === expected.data.length);
  const expected: readonly Expected[] =
    references.length > 0
      ? references
      : [...(wasmOutputs.get(key(graph)) ?? [])].map(([name, data]) => ({ name, data, atol: 1e-3, rtol: 1e-3 }));
  const verdicts = expected.map(({ name, data, atol, rtol, normalizedWidth }) =>
    compare(
      normalizedWidth === undefined ? outputs.get(name)! : unitRows(outputs.get(name)!, normalizedWidth),
      data,
      atol,
      rtol,
    ),
  );
  if (backend === 'wasm') wasmOutputs.set(key(graph), outputs);
  return {
    outcome: verdicts.every((verdict) => verdict.agrees) ? 'agrees' : 'differs',
    reference: references.length > 0 ? 'PyTorch' : expected.length > 0 ? 'wasm' : 'none',
    maxDifference: Math.max(0, ...verdicts.map((verdict) => verdict.maxDifference)),
    ...placement,
    computeMs: Number(run!.end!.computeUs) / 1000,
  };
}

function readVersion(): string {
  const file = join(repositoryRoot, 'browser_agent/node_modules/onnxruntime-web/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}

const backends = (options.backends?.split(',') ?? [...BACKENDS]).filter((name): name is Backend =>
  (BACKENDS as readonly string[]).includes(name),
);
const server = await AgentServer.start();
const embedder = new Bench(server, 'wasm');
const embed = async (bytes: Uint8Array, inputs: Graph['inputs']) => {
  const { run } = await embedder.answers({ bytes, inputs, freeDimensions: {} });
  const output = run!.outputs[0]!;
  return { shape: output.tensor.shape.map(Number), data: new Float32Array(output.bytes.buffer) };
};
const graphs: Graph[] = [];
for (const model of options.models?.split(',') ?? modelNames(fixtures))
  graphs.push(...(await graphsOf(fixtures, model, embed)));
await embedder.stop();

const rows = new Map<string, Partial<Record<Backend, Cell>>>(graphs.map((graph) => [key(graph), {}]));
for (const backend of backends) {
  const bench = new Bench(server, backend);
  for (const graph of graphs) {
    const cell = cellOf(graph, backend, await bench.answers(graph));
    rows.get(key(graph))![backend] = cell;
    console.log(
      `${backend} ${key(graph)}: ${summary(cell)}${cell.message === undefined ? '' : ` | ${cell.message.slice(0, 300)}`}`,
    );
  }
  await bench.stop();
}
await server.stop();

const report: Report = {
  browser: userAgent,
  onnxruntime: readVersion(),
  backends,
  graphs: graphs.map((graph) => ({ name: key(graph), task: graph.task, cells: rows.get(key(graph))! })),
};
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 1)}\n`);
if (options.markdown !== undefined) writeFileSync(options.markdown, markdown(report));
else console.log(markdown(report));
process.exit(0);
