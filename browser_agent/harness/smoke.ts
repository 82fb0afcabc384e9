import { readFileSync } from 'node:fs';
import { startBrowser } from './browser';
import { AgentServer } from './server';
const t0 = Date.now();
const server = await AgentServer.start();
const browser = await startBrowser(server.pageUrl(process.argv[2] ?? 'wasm'));
const agent = await server.agent();
console.log('connected', Date.now() - t0);
const hello = await agent.hello;
console.log('hello', Date.now() - t0, JSON.stringify({ ...hello, capabilities: { ...hello.capabilities, webgpu: { ...hello.capabilities?.webgpu, limits: 0, features: 0 } } }));
agent.welcome();
const ids = (v: number[]) => new Uint8Array(new BigInt64Array(v.map(BigInt)).buffer);
const n = 16;
const inputs = [
  { name: 'input_ids', datatype: 9, shape: [1, n], bytes: ids([...Array(n).keys()].map((i) => i + 1)) },
  { name: 'attention_mask', datatype: 9, shape: [1, n], bytes: ids(Array(n).fill(1)) },
  { name: 'token_type_ids', datatype: 9, shape: [1, n], bytes: ids(Array(n).fill(0)) },
];
for (const backend of (process.argv[2] ?? 'wasm').split(',')) {
  const blob = server.addBlob(readFileSync(process.env['MODEL']!));
  const loaded = await agent.load({ instance: `m-${backend}`, backend, ...blob, freeDimensions: backend === 'webnn' ? { batch_size: 1n, sequence_length: BigInt(n) } : {} });
  console.log(backend, 'loaded', Date.now() - t0, JSON.stringify(loaded, (_, v) => (typeof v === 'bigint' ? Number(v) : v)).slice(0, 1200));
  for (let i = 0; i < 3; i++) {
    const a = await agent.run({ instance: `m-${backend}` , ...(i == 2 ? { pooling: { $typeName: 'shoal.agent.v1.Pooling', kind: 1, normalize: true, output: 'last_hidden_state', mask: 'attention_mask' } } : {})}, inputs);
    console.log(' run', Date.now() - t0, String(a.end?.computeUs), JSON.stringify(a.error), a.outputs.map((o) => [o.tensor.name, o.tensor.shape.map(Number), [...new Float32Array(o.bytes.buffer.slice(0, 16))]]));
  }
}
await new Promise((r) => setTimeout(r, 1500));
const hb = agent.heartbeats.at(-1)?.beat;
console.log(JSON.stringify(hb, (_, v) => (typeof v === 'bigint' ? Number(v) : v)), agent.problems);
await browser.stop();
await server.stop();
process.exit(0);
