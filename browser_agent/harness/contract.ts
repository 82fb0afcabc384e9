// Writes tests/contract/agent_frames.json: frames as hex beside their envelope in protobuf's canonical JSON. Both sides
// decode each frame to the same envelope, re-encode it to the same bytes, and refuse each malformed one.
import { create, type JsonValue, toJson } from '@bufbuild/protobuf';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CancelSchema,
  CapabilitiesSchema,
  ChunkSchema,
  DataType,
  EndSchema,
  type Envelope,
  EnvelopeSchema,
  ErrorSchema,
  HeartbeatSchema,
  HelloSchema,
  LeavingSchema,
  LoadedSchema,
  LoadSchema,
  OutputSchema,
  Pooling_Kind,
  RunSchema,
  UnloadSchema,
  WelcomeSchema,
} from '../src/generated/shoal/agent/v1/agent_pb';
import { encodeFrame, MAX_CHUNK_BYTES, MAX_HEADER_BYTES } from '../src/protocol/frame';
import { Code } from '../src/protocol/outcome';
import { repositoryRoot } from './paths';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const sha = 'ab'.repeat(32);
const f32 = (...values: number[]): Uint8Array => new Uint8Array(new Float32Array(values).buffer);

// At most one entry in each map: maps have no order on the wire.
const bodies: readonly {
  readonly name: string;
  readonly workId?: bigint;
  readonly body: Envelope['body'];
  readonly raw?: Uint8Array;
}[] = [
  {
    name: 'hello',
    body: {
      case: 'hello',
      value: create(HelloSchema, {
        protocol: 1,
        build: '0123456789abcdef',
        slot: 'headless_shell/0',
        token: 'launch-token',
        userAgent: 'Browser/1 (größe)',
        capabilities: create(CapabilitiesSchema, {
          cores: 8,
          deviceMemoryGib: 0.5,
          crossOriginIsolated: true,
          wasmSimd: true,
          wasmThreads: true,
          jspi: true,
          webgpu: {
            available: true,
            vendor: 'google',
            architecture: 'swiftshader',
            isFallbackAdapter: true,
            features: ['subgroups', 'timestamp-query'],
            limits: { maxBufferSize: 1073741824 },
          },
          webnn: [
            { deviceType: 'cpu', available: true },
            { deviceType: 'npu', whyNot: 'none here' },
          ],
          benchmarks: [
            { backend: 'wasm', gflops: 6.25, milliseconds: 5.5 },
            { backend: 'webgpu', whyNot: 'no adapter' },
          ],
        }),
      }),
    },
  },
  {
    name: 'heartbeat',
    body: {
      case: 'heartbeat',
      value: create(HeartbeatSchema, {
        sequence: 300n,
        pageAgeMs: 412,
        engineAgeMs: { wasm: 17 },
        running: [5n, 1099511627776n],
        wasmBytes: 16777216n,
        cacheBytes: 18446744073709551615n,
      }),
    },
  },
  {
    name: 'welcome',
    body: {
      case: 'welcome',
      value: create(WelcomeSchema, { workerId: 'headless_shell/0#1', heartbeatMs: 1000, wasmThreads: 2 }),
    },
  },
  {
    name: 'load',
    workId: 1n,
    body: {
      case: 'load',
      value: create(LoadSchema, {
        instance: 'bert:1@webnn',
        backend: 'webnn',
        url: `/agent/blobs/${sha}`,
        sha256: sha,
        byteSize: 469251n,
        freeDimensions: { batch_size: 1n },
        webnnDevice: 'cpu',
        external: [{ path: 'model.onnx_data', url: `/agent/blobs/${sha}`, sha256: sha, byteSize: 4096n }],
      }),
    },
  },
  {
    name: 'loaded',
    workId: 1n,
    body: {
      case: 'end',
      value: create(EndSchema, {
        queueUs: 50n,
        loaded: create(LoadedSchema, {
          nodes: { webgpu: 88 },
          heavyElsewhere: ['MatMul /layer/0 on wasm'],
          fetchUs: 17955n,
          buildUs: 1488955n,
          fromCache: true,
          memoryBytes: 16777216n,
        }),
      }),
    },
  },
  { name: 'unload', workId: 2n, body: { case: 'unload', value: create(UnloadSchema, { instance: 'bert:1@webnn' }) } },
  {
    name: 'run with payload',
    workId: 3n,
    body: {
      case: 'run',
      value: create(RunSchema, {
        instance: 'bert:1@wasm',
        outputs: ['last_hidden_state'],
        timeoutMs: 30000n,
        inputs: [
          { name: 'x', datatype: DataType.FP32, shape: [1n, 2n], byteSize: 8n },
          { name: 'texts', datatype: DataType.BYTES, shape: [1n], byteSize: 6n },
        ],
        pooling: { kind: Pooling_Kind.MEAN, normalize: true, output: 'last_hidden_state', mask: 'attention_mask' },
      }),
    },
    raw: new Uint8Array([...f32(1, -2.5), 2, 0, 0, 0, 0x68, 0x69]),
  },
  { name: 'chunk', workId: 3n, body: { case: 'chunk', value: create(ChunkSchema) }, raw: new Uint8Array([1, 2, 3]) },
  { name: 'cancel', workId: 3n, body: { case: 'cancel', value: create(CancelSchema) } },
  {
    name: 'output',
    workId: 3n,
    body: {
      case: 'output',
      value: create(OutputSchema, {
        tensors: [{ name: 'embedding', datatype: DataType.FP32, shape: [1n, 2n], byteSize: 8n }],
      }),
    },
    raw: f32(0.6, 0.8),
  },
  {
    name: 'output with a scalar and an empty tensor',
    workId: 4n,
    body: {
      case: 'output',
      value: create(OutputSchema, {
        tensors: [
          { name: 'loss', datatype: DataType.FP64, byteSize: 8n },
          { name: 'past', datatype: DataType.FP16, shape: [1n, 0n, 8n] },
        ],
      }),
    },
    raw: new Uint8Array(8),
  },
  {
    name: 'output with the end',
    workId: 3n,
    body: {
      case: 'output',
      value: create(OutputSchema, {
        tensors: [{ name: 'embedding', datatype: DataType.FP32, shape: [1n, 2n], byteSize: 8n }],
        end: { computeUs: 1100n, queueUs: 12n },
      }),
    },
    raw: f32(0.6, 0.8),
  },
  { name: 'end', workId: 3n, body: { case: 'end', value: create(EndSchema, { computeUs: 1100n, queueUs: 12n }) } },
  {
    name: 'error',
    workId: 18446744073709551615n,
    body: {
      case: 'error',
      value: create(ErrorSchema, {
        code: Code.OPERATOR_NOT_SUPPORTED,
        message: 'Could not find an implementation for Foo(1)',
        detail: 'Error: …\n  at create',
        operator: 'Foo',
      }),
    },
  },
  { name: 'leaving', body: { case: 'leaving', value: create(LeavingSchema, { reason: 'the page is closed' }) } },
];

const frames = bodies.map(({ name, workId = 0n, body, raw = new Uint8Array(0) }) => {
  const envelope = create(EnvelopeSchema, { workId, body });
  return {
    name,
    frame: hex(encodeFrame(envelope, raw)),
    envelope: toJson(EnvelopeSchema, envelope) as JsonValue,
    raw: hex(raw),
  };
});

const malformed = [
  { name: 'empty', frame: '' },
  { name: 'three bytes', frame: '050000' },
  { name: 'header shorter than its length', frame: '05000000080582' },
  { name: 'header length of 4 GiB', frame: 'ffffffff0805a20100' },
  { name: 'no body', frame: '020000000805' },
  { name: 'empty header', frame: '00000000' },
  { name: 'raw bytes after a cancel', frame: '050000000805a2010001' },
  { name: 'header is no protobuf', frame: '03000000ffffff' },
  { name: 'protobuf cut inside a message', frame: '04000000120a0801' },
  { name: 'wire type 7', frame: '010000000f' },
  { name: 'string that is not UTF-8 in Leaving.reason', frame: '06000000' + '3a040a02c328' },
];

const file = join(repositoryRoot, 'tests/contract/agent_frames.json');
writeFileSync(
  file,
  `${JSON.stringify({ protocol: 1, max_header_bytes: MAX_HEADER_BYTES, max_chunk_bytes: MAX_CHUNK_BYTES, frames, malformed }, null, 1)}\n`,
);
console.log(`${file}: ${frames.length} frames, ${malformed.length} malformed`);
