// The agent in a real browser, through the protocol: hello, heartbeat, queue, cancels, deadlines, reconnects.
import { type Bench, startBench, whyNoBrowser } from '../../../browser_agent/harness/bench';
import { startBrowser } from '../../../browser_agent/harness/browser';
import { ElementType, identityModel, writeModel } from '../../../browser_agent/harness/onnxWriter';
import { AgentServer } from '../../../browser_agent/harness/server';
import { DataType } from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';
import { Code } from '../../../browser_agent/src/protocol/outcome';

const why = whyNoBrowser();
const input = (name: string, count: number, value = 1) => ({
  name,
  datatype: DataType.FP32,
  shape: [count],
  bytes: new Uint8Array(new Float32Array(count).fill(value).buffer),
});
// Some 0.1 s of work for each round on an idle core.
const slowModel = (rounds: number): Uint8Array =>
  writeModel({
    nodes: Array.from({ length: rounds }, (_, round) => ({
      operator: 'MatMul',
      name: `m${round}`,
      inputs: [round === 0 ? 'x' : `t${round}`, 'x'],
      outputs: [round === rounds - 1 ? 'y' : `t${round + 1}`],
    })),
    inputs: [{ name: 'x', type: ElementType.FLOAT, dims: [1024, 1024] }],
    outputs: [{ name: 'y', type: ElementType.FLOAT, dims: [1024, 1024] }],
  });
const square = {
  name: 'x',
  datatype: DataType.FP32,
  shape: [1024, 1024],
  bytes: new Uint8Array(4 * 1024 * 1024),
};

describe.skipIf(why !== undefined)(`link (${why ?? 'headless_shell'})`, () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await startBench('wasm');
  });
  afterAll(() => bench.stop());

  test('the hello tells who and what', async () => {
    const hello = await bench.agent.hello;
    expect(hello).toMatchObject({
      protocol: 1,
      slot: 'headless_shell/0',
      token: 'test-token',
    });
    expect(hello.build).toMatch(/^[0-9a-f]{16}$/);
    expect(hello.capabilities).toMatchObject({
      crossOriginIsolated: true,
      wasmSimd: true,
      wasmThreads: true,
    });
    expect(hello.capabilities!.benchmarks).toHaveLength(1);
    expect(hello.capabilities!.benchmarks[0]!.gflops).toBeGreaterThan(0.1);
  });

  test('24 MB go out and come back whole, and no heartbeat waits for them', async () => {
    const instance = await bench.load('wasm', identityModel(ElementType.FLOAT));
    const count = 6 * 1024 * 1024;
    const bytes = new Uint8Array(Float32Array.from({ length: count }, (_, at) => at % 8191).buffer);
    const started = performance.now();
    const answers = await Promise.all(
      [1, 2, 3].map(() =>
        bench.agent.run({ instance }, [{ name: 'x', datatype: DataType.FP32, shape: [count], bytes }]),
      ),
    );
    for (const { outputs, error } of answers) {
      expect(error).toBeUndefined();
      expect(Buffer.from(outputs[0]!.bytes).equals(Buffer.from(bytes))).toBe(true);
    }
    await bench.agent.unload(instance);
    expect(largestGap(bench, started)).toBeLessThan(2500);
    expect(bench.agent.problems).toEqual([]);
  });

  test('the heartbeat goes on while wasm computes, and the ages tell who is busy', async () => {
    const instance = await bench.load('wasm', slowModel(12));
    const started = performance.now();
    const during = (): typeof bench.agent.heartbeats => bench.agent.heartbeats.filter(({ at }) => at > started);
    // One run may be over between two heartbeats.
    const isNamed = (workId: bigint): boolean => during().some(({ beat }) => beat.running.includes(workId));
    const works: bigint[] = [];
    while (!works.some(isNamed) && works.length < 20) {
      const { workId, answer } = bench.agent.startRun({ instance }, [square]);
      expect((await answer).error).toBeUndefined();
      works.push(workId);
    }
    expect(works.some(isNamed)).toBe(true);
    expect(Math.max(...during().map(({ beat }) => beat.pageAgeMs))).toBeLessThan(2000);
    expect(largestGap(bench, started)).toBeLessThan(2500);
    await bench.agent.unload(instance);
  });

  test('a waiting work is cancelled at once, a running one when it ends, each answered once', async () => {
    const instance = await bench.load('wasm', slowModel(5));
    const order: string[] = [];
    const works = ['running', 'waiting', 'after'].map((name) => {
      const work = bench.agent.startRun({ instance }, [square]);
      return {
        ...work,
        answer: work.answer.then((answer) => (order.push(name), answer)),
      };
    });
    bench.agent.cancel(works[1]!.workId);
    bench.agent.cancel(works[0]!.workId);
    const answers = await Promise.all(works.map((work) => work.answer));
    expect(answers.map(({ error }) => error?.code)).toEqual([Code.CANCELLED, Code.CANCELLED, undefined]);
    expect(answers[0]!.outputs).toEqual([]);
    expect(order).toEqual(['waiting', 'running', 'after']);
    await bench.agent.unload(instance);
    expect(bench.agent.problems).toEqual([]);
  });

  test('a deadline that passes in the queue', async () => {
    const instance = await bench.load('wasm', slowModel(5));
    const first = bench.agent.run({ instance }, [square]);
    const late = await bench.agent.run({ instance, timeoutMs: 20n }, [square]);
    expect(late.error?.code).toBe(Code.DEADLINE_EXCEEDED);
    expect((await first).error).toBeUndefined();
    await bench.agent.unload(instance);
  });

  test('the queue is bounded', async () => {
    const instance = await bench.load('wasm', slowModel(12));
    const small = await bench.load('wasm', identityModel(ElementType.FLOAT));
    const first = bench.agent.run({ instance }, [square]);
    const answers = await Promise.all(
      Array.from({ length: 80 }, () => bench.agent.run({ instance: small }, [input('x', 4)])),
    );
    await first;
    const refused = answers.filter(({ error }) => error?.code === Code.OVERLOADED).length;
    expect(refused).toBeGreaterThan(0);
    expect(answers.filter(({ error }) => error === undefined).length).toBe(80 - refused);
    await bench.agent.unload(instance);
    await bench.agent.unload(small);
  });

  test('more bytes than declared, an unknown instance, an engine that is not here', async () => {
    const instance = await bench.load('wasm', identityModel(ElementType.FLOAT));
    const lying = bench.agent.startRun({ instance }, [{ ...input('x', 300_000) }]);
    bench.agent.chunk(lying.workId, new Uint8Array(10)); // after the end of the payload: dropped
    expect((await lying.answer).error).toBeUndefined();
    expect((await bench.agent.run({ instance: 'nobody' }, [])).error?.code).toBe(Code.NOT_FOUND);
    expect(
      (
        await bench.agent.load({
          instance: 'g',
          backend: 'webgpu',
          ...bench.server.addBlob(identityModel(ElementType.FLOAT)),
        })
      ).error?.code,
    ).toBe(Code.BACKEND_UNAVAILABLE);
    expect(
      (
        await bench.agent.load({
          instance: 'g',
          backend: 'cuda',
          ...bench.server.addBlob(identityModel(ElementType.FLOAT)),
        })
      ).error?.code,
    ).toBe(Code.BACKEND_UNAVAILABLE);
    await bench.agent.unload(instance);
  });

  test('after a lost connection the page starts afresh and the weights are still in the store', async () => {
    const model = identityModel(ElementType.FLOAT, ['kept']);
    const kept = (): bigint => bench.agent.heartbeats.at(-1)!.beat.cacheBytes;
    const before = kept();
    await bench.load('wasm', model);
    // The store is filled behind the load.
    await expect.poll(kept, { timeout: 10_000 }).toBeGreaterThan(before);
    const { sha256 } = bench.server.addBlob(model);
    const asked = (): number => bench.server.blobRequests.filter((hash) => hash === sha256).length;
    expect(asked()).toBe(1);
    bench.agent.socket.close(1001);
    const agent = await bench.reconnected();
    const { end } = await agent.load({
      instance: 'again',
      backend: 'wasm',
      ...bench.server.addBlob(model),
    });
    expect(end?.loaded?.fromCache).toBe(true);
    expect(asked()).toBe(1);
    expect((await agent.run({ instance: 'again' }, [input('x', 2)])).error).toBeUndefined();
  });

  test.each([
    ['a text frame', (socket: Bench['agent']['socket']) => socket.send('hello')],
    ['a malformed frame', (socket: Bench['agent']['socket']) => socket.send(Buffer.from('ffffffff00', 'hex'))],
  ])('%s closes the link with 4002, and the page comes back', async (_, send) => {
    send(bench.agent.socket);
    expect(await bench.agent.closed).toBe(4002);
    await bench.reconnected();
  });
});

describe.skipIf(why !== undefined)('another version', () => {
  test('4001 makes one reload past the caches, then the page stays', async () => {
    const server = await AgentServer.start();
    const browser = await startBrowser(server.pageUrl('wasm'));
    for (let round = 0; round < 2; round++) {
      const agent = await server.agent();
      await agent.hello;
      agent.socket.close(4001, 'other build');
    }
    let third = false;
    void server.agent().then(() => (third = true));
    await new Promise((resolve) => setTimeout(resolve, 3000)); // longer than the first pause of a normal reconnect
    expect(third).toBe(false);
    await browser.stop();
    await server.stop();
  });
});

function largestGap(bench: Bench, since: number): number {
  const times = [since, ...bench.agent.heartbeats.map(({ at }) => at).filter((at) => at > since), performance.now()];
  return Math.max(...times.slice(1).map((at, index) => at - times[index]!));
}
