// Many answers of a chat model at once, by the plan engine in a browser, one thread:
//   node harness/run.mjs manyBench SOURCE BITS [PATTERN=BITS...]
// Prints tokens a second of 1, 2, 4 and 8 answers together, the time between two tokens beside a prompt of 1000 tokens, and
// what a prompt costs that was read before; the last line says it as JSON.
import type { Answer } from './agent';
import { startBench } from './bench';
import { makePlan, promptOf } from './plans';

const [source, bits, ...keep] = process.argv.slice(2);
const ROUNDS = 3;
const ANSWER = 48;
const made = makePlan(source!, Number(bits), ...keep);
const bench = await startBench('wasm', 1);
const prompt = (length: number, seed: number): ReturnType<typeof promptOf> =>
  promptOf(Array.from({ length }, (_, at) => 100 + ((at * 7919 + seed * 104729) % 40000)));
const checked = (answer: Answer): Answer => {
  if (answer.error !== undefined)
    throw new Error(`${answer.error.code} ${answer.error.message}\n${answer.error.detail}`);
  return answer;
};
checked(
  await bench.agent.load({
    instance: 'chat',
    backend: 'wasm',
    engine: 'plan',
    ...bench.server.addBlob(made.plan.bytes),
    planLimits: { B: 9n, T: 137n, R: 9n, N: 9n, S: 2048n, K: 16n, V: 16n },
    external: made.shards.map(({ sha256, bytes }) => ({ path: sha256, ...bench.server.addBlob(bytes) })),
  }),
);
await new Promise((resolve) => setTimeout(resolve, 2000));
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const at = (values: readonly number[], share: number): number =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * share))]!;
let seed = 0;
const start = (length: number, maxTokens: number, onOutput?: () => void): Promise<Answer> =>
  bench.agent
    .startRun(
      { instance: 'chat', generate: { maxTokens, prefixKey: String(seed) } as never },
      [prompt(length, seed++)],
      onOutput,
    )
    .answer.then(checked);
// When tokens of an answer came.
const timesOf = (length: number, maxTokens: number): { times: number[]; answer: Promise<Answer> } => {
  const times: number[] = [];
  return { times, answer: start(length, maxTokens, () => times.push(performance.now())) };
};
const rates: Record<string, number> = {};
for (let round = 0; round < ROUNDS; round++) {
  for (const count of [1, 2, 4, 8]) {
    const all = Array.from({ length: count }, () => timesOf(8, ANSWER));
    await Promise.all(all.map(({ answer }) => answer));
    // While all of them write.
    const from = Math.max(...all.map(({ times }) => times[0]!));
    const to = Math.min(...all.map(({ times }) => times.at(-1)!));
    const made = all.flatMap(({ times }) => times.filter((time) => time > from && time <= to)).length;
    rates[count] = Math.max(rates[count] ?? 0, (made * 1000) / (to - from));
  }
}
console.log(`tokens/s together: ${JSON.stringify(rates)}, 8 are ${(rates[8]! / rates[1]!).toFixed(2)} times 1`);

const beside = Array.from({ length: 8 }, () => timesOf(8, 160));
await new Promise((resolve) => setTimeout(resolve, 2500));
const began = performance.now();
await start(1000, 1);
const longMs = performance.now() - began;
await Promise.all(beside.map(({ answer }) => answer));
const gaps = beside.flatMap(({ times }) => times.slice(1).map((time, index) => time - times[index]!));
const [median, p99] = [at(gaps, 0.5), at(gaps, 0.99)];
console.log(
  `beside a prompt of 1000 tokens (${longMs.toFixed(0)} ms): between two tokens ` +
    `median ${median.toFixed(0)}, p99 ${p99.toFixed(0)} ms`,
);

const again = prompt(1000, 99);
const timed = async (): Promise<number> => {
  const run = { instance: 'chat', generate: { maxTokens: 1, prefixKey: 'again' } as never };
  return Number(checked(await bench.agent.run(run, [again])).end!.prefillUs) / 1000;
};
const [cold, cached] = [await timed(), await timed()];
console.log(`a prompt of 1000 tokens takes ${cold.toFixed(0)} ms, again ${cached.toFixed(1)} ms`);
await bench.stop();
console.log(
  JSON.stringify({ rates, median_ms: median, p99_ms: p99, long_ms: longMs, cold_ms: cold, cached_ms: cached }),
);
