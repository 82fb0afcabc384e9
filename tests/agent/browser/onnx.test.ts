// The onnx engine in a real browser: every datatype, every kind of wrong input, wrong files, weights, memory, recovery.
import { readdirSync, readFileSync } from 'node:fs';
import { type Bench, startBench, whyNoBrowser } from '../../../browser_agent/harness/bench';
import { ElementType, identityModel, writeModel } from '../../../browser_agent/harness/onnxWriter';
import { DataType, Pooling_Kind } from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';
import { Code } from '../../../browser_agent/src/protocol/outcome';

const why = whyNoBrowser();
const raw = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
const f32 = (...values: number[]): Uint8Array => raw(Float32Array.from(values));
const strings = (...values: (string | number[])[]): Uint8Array =>
  Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.from(value as string);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return Buffer.concat([length, bytes]);
    }),
  );
const x = (datatype: DataType, shape: number[], bytes: Uint8Array) => ({
  name: 'x',
  datatype,
  shape,
  bytes,
});

describe.skipIf(why !== undefined)(`onnx on wasm (${why ?? 'headless_shell'})`, () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await startBench('wasm');
  });
  afterAll(() => bench.stop());

  const echoed: [DataType, ElementType, Uint8Array, number][] = [
    [DataType.BOOL, ElementType.BOOL, Uint8Array.of(1, 0, 1), 3],
    [DataType.UINT8, ElementType.UINT8, Uint8Array.of(0, 255), 2],
    [DataType.UINT16, ElementType.UINT16, raw(Uint16Array.of(0, 65535)), 2],
    [DataType.UINT32, ElementType.UINT32, raw(Uint32Array.of(0, 4294967295)), 2],
    [DataType.UINT64, ElementType.UINT64, raw(BigUint64Array.of(0n, 18446744073709551615n)), 2],
    [DataType.INT8, ElementType.INT8, raw(Int8Array.of(-128, 127)), 2],
    [DataType.INT16, ElementType.INT16, raw(Int16Array.of(-32768, 32767)), 2],
    [DataType.INT32, ElementType.INT32, raw(Int32Array.of(-2147483648, 7)), 2],
    [DataType.INT64, ElementType.INT64, raw(BigInt64Array.of(-9223372036854775808n, 7n)), 2],
    [DataType.FP16, ElementType.FLOAT16, raw(Uint16Array.of(0x3c00, 0xfc00, 0x0001)), 3],
    [DataType.FP32, ElementType.FLOAT, f32(-0, 1e-45, Infinity, 3.5), 4],
    [DataType.FP64, ElementType.DOUBLE, raw(Float64Array.of(Math.PI, -5e-324)), 2],
    [DataType.BYTES, ElementType.STRING, strings('', 'größe', '🐟'), 3],
    [DataType.FP32, ElementType.FLOAT, new Uint8Array(0), 0],
  ];
  test.each(echoed.map((row) => [`${DataType[row[0]]} x ${row[3]}`, ...row] as const))(
    '%s comes back as it went',
    async (_, datatype, type, bytes, count) => {
      const instance = await bench.load('wasm', identityModel(type));
      const { outputs, error } = await bench.agent.run({ instance }, [x(datatype, [count], bytes)]);
      expect(error).toBeUndefined();
      expect(outputs[0]!.tensor).toMatchObject({
        name: 'y',
        datatype,
        shape: [BigInt(count)],
      });
      expect(Buffer.from(outputs[0]!.bytes).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
      await bench.agent.unload(instance);
    },
  );

  test('wrong inputs are typed and named, and the instance lives on', async () => {
    const instance = await bench.load('wasm', identityModel(ElementType.FLOAT, [2]));
    const good = x(DataType.FP32, [2], f32(1, 2));
    const wrong: [string, Code, RegExp, Parameters<Bench['agent']['run']>][] = [
      ['name', Code.INVALID_ARGUMENT, /no input 'z'/, [{ instance }, [{ ...good, name: 'z' }]]],
      ['missing', Code.INVALID_ARGUMENT, /'x'/, [{ instance }, []]],
      ['twice', Code.INVALID_ARGUMENT, /'x' is given twice/, [{ instance }, [good, good]]],
      ['byte count', Code.INVALID_ARGUMENT, /has 8 bytes, 3 elements/, [{ instance }, [{ ...good, shape: [3] }]]],
      ['shape', Code.INVALID_ARGUMENT, /dimensions|x/, [{ instance }, [x(DataType.FP32, [3], f32(1, 2, 3))]]],
      ['datatype', Code.INVALID_ARGUMENT, /type|x/, [{ instance }, [x(DataType.INT32, [2], raw(Int32Array.of(1, 2)))]]],
      ['bf16', Code.PRECISION_NOT_SUPPORTED, /BF16/, [{ instance }, [x(DataType.BF16, [2], new Uint8Array(4))]]],
      ['output', Code.INVALID_ARGUMENT, /no output 'q'/, [{ instance, outputs: ['q'] }, [good]]],
    ];
    for (const [name, code, message, [run, inputs]] of wrong) {
      const { error } = await bench.agent.run(run, inputs);
      expect([name, error?.code], `${name}: ${error?.message}`).toEqual([name, code]);
      expect(error!.message).toMatch(message);
    }
    expect((await bench.agent.run({ instance }, [good])).error).toBeUndefined();
    await bench.agent.unload(instance);
  });

  test('BYTES that are no UTF-8 or run over the end', async () => {
    const instance = await bench.load('wasm', identityModel(ElementType.STRING));
    expect((await bench.agent.run({ instance }, [x(DataType.BYTES, [1], strings([0xc3, 0x28]))])).error).toMatchObject({
      code: Code.INVALID_ARGUMENT,
      message: expect.stringContaining('UTF-8') as string,
    });
    expect(
      (await bench.agent.run({ instance }, [x(DataType.BYTES, [1], Uint8Array.of(9, 0, 0, 0, 65))])).error,
    ).toMatchObject({ code: Code.INVALID_ARGUMENT });
    expect((await bench.agent.run({ instance }, [x(DataType.BYTES, [2], strings('one'))])).error).toMatchObject({
      code: Code.INVALID_ARGUMENT,
    });
    await bench.agent.unload(instance);
  });

  test('files that are no model: typed, and the engine lives on', async () => {
    const identity = identityModel(ElementType.FLOAT);
    const files: [string, Uint8Array, Code, string][] = [
      ['noise', Uint8Array.from({ length: 4096 }, (_, at) => (at * 7919 + 13) & 0xff), Code.GRAPH_BUILDING_ERROR, ''],
      ['text', new TextEncoder().encode('<!doctype html>'), Code.GRAPH_BUILDING_ERROR, ''],
      ['one byte', Uint8Array.of(0), Code.GRAPH_BUILDING_ERROR, ''],
      ['cut', identity.subarray(0, identity.length - 9), Code.GRAPH_BUILDING_ERROR, ''],
      [
        'unknown operator',
        writeModel({
          nodes: [
            {
              operator: 'Fishify',
              domain: 'com.example',
              inputs: ['x'],
              outputs: ['y'],
            },
          ],
          inputs: [{ name: 'x', type: 1, dims: [1] }],
          outputs: [{ name: 'y', type: 1, dims: [1] }],
        }),
        Code.OPERATOR_NOT_SUPPORTED,
        'Fishify',
      ],
      [
        'operator without a kernel',
        writeModel({
          nodes: [{ operator: 'MatMul', inputs: ['x', 'x'], outputs: ['y'] }],
          inputs: [{ name: 'x', type: ElementType.FLOAT16, dims: [2, 2] }],
          outputs: [{ name: 'y', type: ElementType.FLOAT16, dims: [2, 2] }],
        }),
        Code.OPERATOR_NOT_SUPPORTED,
        'MatMul',
      ],
    ];
    for (const [name, bytes, code, operator] of files) {
      const { error, end } = await bench.agent.load({
        instance: name,
        backend: 'wasm',
        ...bench.server.addBlob(bytes),
      });
      if (name === 'operator without a kernel' && end !== undefined) continue; // onnxruntime may cast around it
      expect([name, error?.code, error?.operator], `${name}: ${error?.message}`).toEqual([name, code, operator]);
      expect(error!.detail).not.toBe('');
    }
    const instance = await bench.load('wasm', identity);
    expect((await bench.agent.run({ instance }, [x(DataType.FP32, [1], f32(1))])).error).toBeUndefined();
    await bench.agent.unload(instance);
  });

  test('weights: wrong bytes, wrong size, missing, another origin', async () => {
    const model = identityModel(ElementType.FLOAT, ['weights']);
    const blob = bench.server.addBlob(model);
    bench.server.corruptBlob(
      blob.sha256,
      model.map((byte) => byte ^ 1),
    );
    const load = (change: object) =>
      bench.agent.load({
        instance: 'w',
        backend: 'wasm',
        ...blob,
        ...change,
      });
    expect((await load({})).error?.message).toContain('sha256');
    expect((await load({ byteSize: blob.byteSize + 1n })).error?.message).toContain('promised');
    expect((await load({ byteSize: blob.byteSize - 1n })).error?.message).toContain('promised');
    expect((await load({ sha256: 'zz' })).error?.code).toBe(Code.INVALID_ARGUMENT);
    expect((await load({ url: `/agent/blobs/${'0'.repeat(64)}` })).error?.code).toBe(Code.NOT_FOUND);
    expect((await load({ url: 'http://example.test/x' })).error?.code).toBe(Code.INVALID_ARGUMENT);
    bench.server.corruptBlob(blob.sha256, model);
    expect((await load({})).end?.loaded?.fromCache).toBe(false);
    expect((await load({})).error?.message).toContain('already loaded');
    await bench.agent.unload('w');
    expect((await load({})).end?.loaded?.fromCache).toBe(true);
    await bench.agent.unload('w');
  });

  test('external data files', async () => {
    const data = bench.server.addBlob(f32(10, 20));
    const model = writeModel({
      nodes: [{ operator: 'Add', inputs: ['x', 'w'], outputs: ['y'] }],
      inputs: [{ name: 'x', type: 1, dims: [2] }],
      outputs: [{ name: 'y', type: 1, dims: [2] }],
      external: { name: 'w', dims: [2], location: 'weights.bin', length: 8 },
    });
    const { error } = await bench.agent.load({
      instance: 'external',
      backend: 'wasm',
      ...bench.server.addBlob(model),
      external: [{ path: 'weights.bin', ...data }],
    });
    expect(error?.message).toBeUndefined();
    const { outputs } = await bench.agent.run({ instance: 'external' }, [x(DataType.FP32, [2], f32(1, 2))]);
    expect([...new Float32Array(outputs[0]!.bytes.buffer)]).toEqual([11, 22]);
    await bench.agent.unload('external');
  });

  test('pooling', async () => {
    const model = writeModel({
      nodes: [
        { operator: 'Identity', inputs: ['x'], outputs: ['states'] },
        {
          operator: 'Identity',
          name: 'second',
          inputs: ['mask'],
          outputs: ['m'],
        },
      ],
      inputs: [
        { name: 'x', type: 1, dims: ['b', 't', 'w'] },
        { name: 'mask', type: ElementType.INT64, dims: ['b', 't'] },
      ],
      outputs: [
        { name: 'states', type: 1, dims: ['b', 't', 'w'] },
        { name: 'm', type: ElementType.INT64, dims: ['b', 't'] },
      ],
    });
    const instance = await bench.load('wasm', model);
    const inputs = [
      x(DataType.FP32, [1, 3, 2], f32(1, 2, 5, 6, 100, 100)),
      {
        name: 'mask',
        datatype: DataType.INT64,
        shape: [1, 3],
        bytes: raw(BigInt64Array.of(1n, 1n, 0n)),
      },
    ];
    const pooling = {
      kind: Pooling_Kind.MEAN,
      normalize: true,
      output: 'states',
      mask: 'mask',
    };
    const { outputs } = await bench.agent.run({ instance, pooling }, inputs);
    expect(outputs).toHaveLength(1);
    expect(outputs[0]!.tensor).toMatchObject({
      name: 'embedding',
      datatype: DataType.FP32,
      shape: [1n, 2n],
    });
    expect([...new Float32Array(outputs[0]!.bytes.buffer)]).toEqual([Math.fround(0.6), Math.fround(0.8)]);
    expect((await bench.agent.run({ instance, pooling: { ...pooling, mask: 'nobody' } }, inputs)).error?.code).toBe(
      Code.INVALID_ARGUMENT,
    );
    await bench.agent.unload(instance);
  });

  test('more memory than there is: a typed error, and the engine comes back', async () => {
    const model = writeModel({
      nodes: [
        { operator: 'Expand', inputs: ['x', 'shape'], outputs: ['t'] },
        { operator: 'Neg', inputs: ['t'], outputs: ['y'] },
      ],
      inputs: [
        { name: 'x', type: 1, dims: [1] },
        { name: 'shape', type: ElementType.INT64, dims: [1] },
      ],
      outputs: [{ name: 'y', type: 1, dims: ['n'] }],
    });
    const instance = await bench.load('wasm', model);
    const run = (count: bigint, of = instance) =>
      bench.agent.run({ instance: of }, [
        x(DataType.FP32, [1], f32(1)),
        {
          name: 'shape',
          datatype: DataType.INT64,
          shape: [1],
          bytes: raw(BigInt64Array.of(count)),
        },
      ]);
    expect((await run(4n)).error).toBeUndefined();
    const { error } = await run(2_000_000_000n); // 8 GB, of at most 4
    expect(error?.code, `${error?.message} ${error?.detail}`).toBe(Code.RESOURCE_LIMIT);
    const again = await bench.load('wasm', model);
    expect((await run(4n, again)).error).toBeUndefined();
  });

  test('loading and unloading does not grow the heap without end', async () => {
    const model = identityModel(ElementType.FLOAT, [1]);
    const cycle = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) await bench.agent.unload(await bench.load('wasm', model));
    };
    const heap = async (): Promise<bigint> => {
      const seen = bench.agent.heartbeats.length;
      await vi.waitUntil(() => bench.agent.heartbeats.length > seen + 1, {
        timeout: 5000,
      });
      return bench.agent.heartbeats.at(-1)!.beat.wasmBytes;
    };
    await cycle(5);
    const before = await heap();
    expect(before).toBeGreaterThan(0n);
    await cycle(60);
    expect(await heap()).toBeLessThanOrEqual(before + 4n * 1024n * 1024n);
  });
});

describe.skipIf(why !== undefined)('a lost GPU', () => {
  test('device lost is typed, and the instance comes back on a new device by itself', async () => {
    const bench = await startBench('webgpu');
    const hello = await bench.agent.hello;
    expect(hello.capabilities?.webgpu?.available).toBe(true);
    expect(hello.capabilities?.webgpu?.isFallbackAdapter).toBe(true);
    const model = writeModel({
      nodes: [{ operator: 'MatMul', inputs: ['x', 'x'], outputs: ['y'] }],
      inputs: [{ name: 'x', type: 1, dims: [2, 2] }],
      outputs: [{ name: 'y', type: 1, dims: [2, 2] }],
    });
    const instance = await bench.load('webgpu', model);
    const run = async () => {
      const { error, outputs } = await bench.agent.run({ instance }, [x(DataType.FP32, [2, 2], f32(1, 2, 3, 4))]);
      return error === undefined ? [...new Float32Array(outputs[0]!.bytes.buffer)] : error.code;
    };
    expect(await run()).toEqual([7, 10, 15, 22]);
    process.kill(gpuProcessOf(bench.browser.pid), 'SIGKILL');
    const seen = new Set<number>();
    await vi.waitUntil(
      async () => {
        const result = await run();
        if (typeof result === 'number') seen.add(result);
        return seen.size > 0 && typeof result !== 'number';
      },
      { timeout: 20_000, interval: 20 },
    );
    expect([...seen]).toEqual([Code.DEVICE_LOST]);
    expect(await run()).toEqual([7, 10, 15, 22]);
    await bench.stop();
  });
});

// The process of this browser's group that says it is the GPU's.
function gpuProcessOf(group: number): number {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const fields = readFileSync(`/proc/${entry}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      if (Number(fields[2]) === group && readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes('--type=gpu-process'))
        return Number(entry);
    } catch {
      continue; // the process ended meanwhile
    }
  }
  throw new Error('the browser has no GPU process');
}
