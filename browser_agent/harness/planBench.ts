// Encoder by the plan engine beside the same model by onnxruntime-web, one thread, in one page in turns:
//   node harness/run.mjs planBench FOLDER BITS MODEL.onnx [ROWS TOKENS]
// Prints the medians of the engines' own times and of load; the last line says them as JSON.
import { readFileSync } from 'node:fs';
import { DataType } from '../src/generated/shoal/agent/v1/agent_pb';
import type { Answer, Input } from './agent';
import { startBench } from './bench';
import { makePlan } from './plans';

const [folder, bits, onnx, rows = '1', tokens = '128'] = process.argv.slice(2);
const ROUNDS = 21;
const shape = [Number(rows), Number(tokens)];
const count = shape[0]! * shape[1]!;
const ids = BigInt64Array.from({ length: count }, (_, at) => BigInt(1000 + ((at * 7919) % 20000)));
const input = (name: string, data: BigInt64Array): Input => ({
  name,
  datatype: DataType.INT64,
  shape,
  bytes: new Uint8Array(data.buffer),
});
const inputs = [
  input('input_ids', ids),
  input('attention_mask', new BigInt64Array(count).fill(1n)),
  input('token_type_ids', new BigInt64Array(count)),
];
const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
const checked = (answer: Answer): Answer => {
  if (answer.error !== undefined)
    throw new Error(`${answer.error.code} ${answer.error.message}\n${answer.error.detail}`);
  return answer;
};

const bench = await startBench('wasm', 1);
const made = makePlan(folder!, Number(bits));
const load = {
  instance: 'plan',
  backend: 'wasm',
  engine: 'plan',
  ...bench.server.addBlob(made.plan.bytes),
  planLimits: { B: 8n, T: BigInt(Math.max(512, count)) },
  external: made.shards.map(({ sha256, bytes }) => ({ path: sha256, ...bench.server.addBlob(bytes) })),
};
const loaded = checked(await bench.agent.load(load)).end!.loaded!;
console.log(`plan: fetch ${loaded.fetchUs} us, build ${loaded.buildUs} us, memory ${loaded.memoryBytes}`);
await bench.load('wasm', readFileSync(onnx!));
const times: Record<string, number[]> = { plan: [], 'instance-0': [] };
for (let round = 0; round < ROUNDS; round++) {
  for (const [instance, kept] of Object.entries(times)) {
    const run = { instance, ...(instance === 'plan' && { outputs: ['embedding'] }) };
    const { end } = checked(await bench.agent.run(run, inputs));
    if (round > 0) kept.push(Number(end!.computeUs) / 1000);
  }
}
const [ours, theirs] = [median(times['plan']!), median(times['instance-0']!)];
console.log(
  `${rows} x ${tokens}, ${bits} bits: plan ${ours.toFixed(1)} ms, onnxruntime-web ${theirs.toFixed(1)} ms, ratio ${(theirs / ours).toFixed(2)}`,
);
await bench.stop();
console.log(JSON.stringify({ plan_ms: ours, onnxruntime_web_ms: theirs }));
