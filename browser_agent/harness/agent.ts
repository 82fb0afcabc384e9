// One connected agent as its server sees it: send works, get each one's outputs and its one end or error.
import { create } from '@bufbuild/protobuf';
import type { WebSocket } from 'ws';
import {
  CancelSchema,
  ChunkSchema,
  type End,
  type Envelope,
  EnvelopeSchema,
  type Error as WireError,
  type Heartbeat,
  type Hello,
  LoadSchema,
  RunSchema,
  type Tensor,
  TensorSchema,
  UnloadSchema,
  WelcomeSchema,
} from '../src/generated/shoal/agent/v1/agent_pb';
import { decodeFrame, encodeFrame, framesOf, framesWithin } from '../src/protocol/frame';

export interface OutputTensor {
  readonly tensor: Tensor;
  readonly bytes: Uint8Array;
}

export interface Answer {
  readonly end?: End;
  readonly error?: WireError;
  readonly outputs: readonly OutputTensor[];
}

export interface Input {
  readonly name: string;
  readonly datatype: number;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

interface Pending {
  readonly tensors: Tensor[];
  readonly onOutput: (() => void) | undefined;
  readonly chunks: Uint8Array[];
  readonly resolve: (answer: Answer) => void;
}

export type LoadInit = Parameters<typeof create<typeof LoadSchema>>[1];
export type RunInit = Omit<NonNullable<Parameters<typeof create<typeof RunSchema>>[1]>, 'inputs' | '$typeName'>;

export class Agent {
  readonly heartbeats: { readonly at: number; readonly beat: Heartbeat }[] = [];
  readonly problems: string[] = [];
  readonly closed: Promise<number>;
  readonly hello: Promise<Hello>;
  #nextWork = 1n;
  readonly #pending = new Map<bigint, Pending>();
  #onHello: (hello: Hello) => void = () => undefined;

  constructor(readonly socket: WebSocket) {
    socket.binaryType = 'nodebuffer';
    this.hello = new Promise((resolve) => (this.#onHello = resolve));
    this.closed = new Promise((resolve) => socket.once('close', (code) => resolve(code)));
    socket.on('message', (data: Buffer) => this.#receive(data));
    socket.on('close', () => {
      for (const [workId, pending] of this.#pending)
        pending.resolve({ outputs: [], error: { message: `work ${workId}: the connection closed` } as WireError });
    });
  }

  // With a token the agent may resume this connection after it has broken.
  welcome(threads = 2, resumeToken = ''): void {
    const resume = { resumeToken, resumeMs: 5000 };
    this.send({
      case: 'welcome',
      value: create(WelcomeSchema, { workerId: 'worker-1', heartbeatMs: 1000, wasmThreads: threads, ...resume }),
    });
  }

  // The answer of a work that the hello of a resumed connection holds.
  held(workId: bigint): Promise<Answer> {
    return new Promise((resolve) =>
      this.#pending.set(workId, { tensors: [], chunks: [], onOutput: undefined, resolve }),
    );
  }

  load(load: LoadInit): Promise<Answer> {
    return this.#work({ case: 'load', value: create(LoadSchema, load) }).answer;
  }

  unload(instance: string): Promise<Answer> {
    return this.#work({ case: 'unload', value: create(UnloadSchema, { instance }) }).answer;
  }

  run(run: RunInit, inputs: readonly Input[]): Promise<Answer> {
    return this.startRun(run, inputs).answer;
  }

  // `onOutput` hears of each Output as it comes.
  startRun(
    run: RunInit,
    inputs: readonly Input[],
    onOutput?: () => void,
  ): { readonly workId: bigint; readonly answer: Promise<Answer> } {
    const tensors = inputs.map(({ name, datatype, shape, bytes }) =>
      create(TensorSchema, { name, datatype, shape: shape.map(BigInt), byteSize: BigInt(bytes.byteLength) }),
    );
    const payload = Buffer.concat(inputs.map((input) => input.bytes));
    return this.#work({ case: 'run', value: create(RunSchema, { ...run, inputs: tensors }) }, payload, onOutput);
  }

  cancel(workId: bigint): void {
    this.send({ case: 'cancel', value: create(CancelSchema) }, workId);
  }

  chunk(workId: bigint, bytes: Uint8Array): void {
    this.socket.send(
      encodeFrame(create(EnvelopeSchema, { workId, body: { case: 'chunk', value: create(ChunkSchema) } }), bytes),
    );
  }

  send(body: Envelope['body'], workId = 0n): void {
    this.socket.send(encodeFrame(create(EnvelopeSchema, { workId, body })));
  }

  #work(
    body: Envelope['body'],
    payload: Uint8Array = new Uint8Array(0),
    onOutput?: () => void,
  ): { readonly workId: bigint; readonly answer: Promise<Answer> } {
    const workId = this.#nextWork++;
    const answer = new Promise<Answer>((resolve) =>
      this.#pending.set(workId, { tensors: [], chunks: [], onOutput, resolve }),
    );
    for (const frame of framesOf(create(EnvelopeSchema, { workId, body }), payload)) this.socket.send(frame);
    return { workId, answer };
  }

  #receive(data: Uint8Array): void {
    const frame = decodeFrame(data);
    if (!frame.ok) return void this.problems.push(frame.error.message);
    const { envelope, raw } = frame.value;
    const { workId, body } = envelope;
    if (body.case === 'hello') return this.#onHello(body.value);
    if (body.case === 'heartbeat') return void this.heartbeats.push({ at: performance.now(), beat: body.value });
    if (body.case === 'leaving') return;
    if (body.case === 'frames') return framesWithin(raw).forEach((one) => this.#receive(one));
    const pending = this.#pending.get(workId);
    if (pending === undefined)
      return void this.problems.push(`${String(body.case)} of work ${workId}, which is not open`);
    if (body.case === 'output') {
      pending.tensors.push(...body.value.tensors);
      pending.chunks.push(raw);
      pending.onOutput?.();
      if (body.value.end !== undefined) this.#finish(workId, pending, { end: body.value.end });
    } else if (body.case === 'chunk') {
      pending.chunks.push(raw);
    } else if (body.case === 'end' || body.case === 'error') {
      this.#finish(workId, pending, body.case === 'end' ? { end: body.value } : { error: body.value });
    }
  }

  #finish(workId: bigint, pending: Pending, last: Pick<Answer, 'end' | 'error'>): void {
    this.#pending.delete(workId);
    pending.resolve({ ...last, outputs: this.#outputsOf(pending) });
  }

  #outputsOf(pending: Pending): OutputTensor[] {
    const payload = Buffer.concat(pending.chunks);
    let offset = 0;
    const outputs = pending.tensors.map((tensor) => {
      const bytes = Uint8Array.from(payload.subarray(offset, offset + Number(tensor.byteSize)));
      offset += Number(tensor.byteSize);
      return { tensor, bytes };
    });
    if (offset !== payload.byteLength)
      this.problems.push(`an output declares ${offset} bytes and has ${payload.byteLength}`);
    return outputs;
  }
}
