// A chat model by the plan engine in a browser, on one thread or on as many as THREADS says:
//   node harness/run.mjs chatBench SOURCE BITS [PATTERN=BITS...]
// Prints load (cold, then from the store in a new page) up to the end of a one-token warm-up, and the medians of prefill
// (128 tokens) and decode (64 tokens) in tokens a second; the last line says it as JSON.
import type { Answer } from './agent';
import { startBench } from './bench';
import { makePlan, promptOf } from './plans';

const [source, bits, ...keep] = process.argv.slice(2);
const ROUNDS = 5;
const PROMPT = 128;
const ANSWER = 64;
const made = makePlan(source!, Number(bits), ...keep);
const bench = await startBench('wasm', Number(process.env['THREADS'] ?? 1));
const prompt = promptOf(Array.from({ length: PROMPT }, (_, at) => 100 + ((at * 7919) % 40000)));
const checked = (answer: Answer): Answer => {
  if (answer.error !== undefined)
    throw new Error(`${answer.error.code} ${answer.error.message}\n${answer.error.detail}`);
  return answer;
};
// Nothing of a prompt has been read before.
let keys = 0;
const generate = (maxTokens: number, tokens = prompt): Promise<Answer> =>
  bench.agent
    .run({ instance: 'chat', generate: { maxTokens, prefixKey: String(keys++) } as never }, [tokens])
    .then(checked);
const loads: number[] = [];
const load = async (): Promise<void> => {
  const started = performance.now();
  const { end } = checked(
    await bench.agent.load({
      instance: 'chat',
      backend: 'wasm',
      engine: 'plan',
      ...bench.server.addBlob(made.plan.bytes),
      planLimits: { B: 1n, T: 128n, R: 1n, N: 1n, S: 2048n },
      external: made.shards.map(({ sha256, bytes }) => ({ path: sha256, ...bench.server.addBlob(bytes) })),
    }),
  );
  await generate(1, promptOf([1]));
  loads.push(performance.now() - started);
  const { fetchUs, buildUs, fromCache, memoryBytes } = end!.loaded!;
  console.log(
    `load ${loads.at(-1)!.toFixed(0)} ms (fetch ${Number(fetchUs) / 1000}, build ${Number(buildUs) / 1000}), ` +
      `from the store: ${fromCache}, memory ${Number(memoryBytes) / 2 ** 20} MiB`,
  );
};
const weights = made.shards.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
console.log(`weights ${(weights / 2 ** 20).toFixed(1)} MiB in ${made.shards.length} shards`);
// Not with the runtimes' own start-up.
await new Promise((resolve) => setTimeout(resolve, 2000));
await load();
const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;
const prefill: number[] = [];
const decode: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const { end } = await generate(ANSWER);
  prefill.push(PROMPT / (Number(end!.prefillUs) / 1e6));
  decode.push((ANSWER - 1) / (Number(end!.decodeUs) / 1e6));
}
console.log(
  `${bits} bits: prefill ${median(prefill).toFixed(0)} (best ${prefill.at(-1)!.toFixed(0)}), ` +
    `decode ${median(decode).toFixed(1)} (best ${decode.at(-1)!.toFixed(1)}) tokens/s`,
);
for (let again = 0; again < 2; again++) {
  bench.agent.socket.close(1001);
  await bench.reconnected();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await load();
}
await bench.stop();
console.log(JSON.stringify({ prefill: median(prefill), decode: median(decode), load_ms: loads }));
