// The link worker: the WebSocket, the hello, the heartbeat and the routing of works to engines. It never computes, so a
// heartbeat is late only when the browser itself is in trouble. A connection that breaks without a close is resumed for as
// long as the server waits for that: engines and what they have loaded stay, and works that are here whole are answered on
// the next connection. Any other end is told to the page, which starts afresh.
import { create } from '@bufbuild/protobuf';
import {
  type DebugRequest,
  type Envelope,
  EnvelopeSchema,
  ErrorSchema,
  HeartbeatSchema,
  HelloSchema,
  LeavingSchema,
  type Mask,
  PausingSchema,
  ResumingSchema,
  type Welcome,
} from '../generated/shoal/agent/v1/agent_pb';
import { type Backend, BACKENDS, type Part } from '../engine/messages';
import { type Assembled, Assembler, MAX_PENDING_BYTES } from '../protocol/assembler';
import { decodeFrame, encodeFrame, PROTOCOL_VERSION, SUBPROTOCOL } from '../protocol/frame';
import { AgentError, Code, type Outcome, type PlainError } from '../protocol/outcome';
import { capabilitiesOf, probed } from './capabilities';
import { debugReports } from './debugReport';
import { type Answers, EngineHandle } from './engineHandle';
import { ErrorLog } from './errorLog';
import type { FromLink, Start, Status, ToLink } from './messages';
import { Outbox } from './outbox';

const HEARTBEAT_MS = 1000;
const MALFORMED = 4002;
const BROKEN = 1006; // no close frame came
const RESUME_PAUSE_MS = 25;

const scope = self as unknown as DedicatedWorkerGlobalScope;
let pageBeatAt = performance.now();
let status: Status = { kind: 'status', state: 'probing', workerId: '', works: 0, runs: 0, memoryBytes: 0 };

const tellPage = (message: FromLink): void => scope.postMessage(message);

function setStatus(change: Partial<Status>): void {
  status = { ...status, ...change };
  tellPage(status);
}

class Link implements Answers {
  #assembler = new Assembler();
  readonly #backendOf = new Map<string, Backend>();
  readonly #engines: ReadonlyMap<Backend, EngineHandle>;
  #socket: WebSocket;
  #outbox: Outbox;
  #isWelcome = false;
  #resumeToken = '';
  #resumeMs = 0;
  // While the connection is broken: until when it may be resumed, and what was answered meanwhile.
  #resumeUntil: number | undefined;
  readonly #late = new Set<bigint>();
  // Of the engines' own connections that belong to the last welcome.
  #attachment = 0;
  readonly #errors = new ErrorLog();
  #sequence = 0n;

  constructor(private readonly start: Start) {
    this.#engines = new Map(start.backends.map((backend) => [backend, new EngineHandle(backend, this)]));
    this.#socket = this.#connect();
    this.#outbox = this.#newOutbox();
    const opened = new Promise<void>((resolve) => (this.#socket.onopen = () => resolve()));
    void Promise.all([capabilitiesOf(this.#engines), opened]).then(([capabilities]) => {
      setStatus({ state: 'connecting' });
      tellPage(probed(start.backends, capabilities));
      const { slot, token, deviceKey = '' } = start;
      this.#send({
        case: 'hello',
        value: create(HelloSchema, {
          protocol: PROTOCOL_VERSION,
          build: __SHOAL_BUILD__,
          slot,
          token,
          deviceKey,
          userAgent: navigator.userAgent,
          capabilities,
        }),
      });
    });
  }

  #connect(): WebSocket {
    const socket = new WebSocket(new URL('ws', location.href).href.replace(/^http/, 'ws'), SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = (event: MessageEvent<ArrayBuffer | string>) => this.#receive(event.data);
    socket.onclose = (event) => this.#closed(event);
    return socket;
  }

  // Holds everything back while the connection is broken: a closed socket would drop it. One that has a successor runs
  // empty.
  #newOutbox(): Outbox {
    const room = (): number => {
      if (this.#outbox !== outbox) return 0;
      return this.#resumeUntil === undefined ? this.#socket.bufferedAmount : Infinity;
    };
    const outbox: Outbox = new Outbox({
      get bufferedAmount() {
        return room();
      },
      send: (frame) => {
        if (this.#outbox === outbox) this.#socket.send(frame);
      },
    });
    return outbox;
  }

  #closed({ code, reason }: Pick<CloseEvent, 'code' | 'reason'>): void {
    const now = performance.now();
    if (this.#isWelcome && this.#resumeToken !== '') {
      this.#resumeUntil = now + this.#resumeMs;
      this.#isWelcome = false;
      // Answers that were under way may be lost, and so may what was half received: the server asks again.
      this.#outbox = this.#newOutbox();
      this.#assembler = new Assembler();
      this.#late.clear();
      this.#attachment++;
      for (const engine of this.#engines.values()) {
        engine.attach(undefined);
        this.outputs([...engine.parts].map(([workId, frames]) => ({ workId, frames: [...frames] })));
      }
    }
    if (code !== BROKEN || this.#resumeUntil === undefined || now >= this.#resumeUntil)
      return tellPage({ kind: 'closed', code, reason });
    setStatus({ state: 'connecting' });
    setTimeout(() => this.#resume(), RESUME_PAUSE_MS);
  }

  #resume(): void {
    const socket = this.#connect();
    this.#socket = socket;
    socket.onopen = () => {
      const holding = [...[...this.#engines.values()].flatMap((engine) => engine.workIds), ...this.#late];
      const hello = create(HelloSchema, {
        protocol: PROTOCOL_VERSION,
        build: __SHOAL_BUILD__,
        slot: this.start.slot,
        resumeToken: this.#resumeToken,
        holding,
      });
      socket.send(encodeFrame(create(EnvelopeSchema, { body: { case: 'hello', value: hello } })));
    };
  }

  leave(reason: string): void {
    this.#send({ case: 'leaving', value: create(LeavingSchema, { reason }) });
  }

  pause(reason: string): void {
    this.#send({ case: 'pausing', value: create(PausingSchema, { reason }) });
  }

  resume(): void {
    this.#send({ case: 'resuming', value: create(ResumingSchema) });
  }

  set share(share: number) {
    for (const engine of this.#engines.values()) engine.share = share;
  }

  // Answers

  get isFull(): boolean {
    return this.#outbox.waitingBytes > MAX_PENDING_BYTES;
  }

  done(workId: bigint, frames: readonly Uint8Array<ArrayBuffer>[]): void {
    if (this.#resumeUntil !== undefined) this.#late.add(workId);
    this.outputs([{ workId, frames }]);
  }

  outputs(parts: readonly Part[]): void {
    this.#outbox.answers(
      parts.map(({ workId, frames }) => ({
        workId,
        frames,
        bytes: frames.reduce((sum, frame) => sum + frame.byteLength, 0),
      })),
    );
  }

  // On another connection the server is told what is held here, and gives the rest out again.
  cut(number: number): void {
    if (number !== this.#attachment) return;
    this.#socket.onclose = this.#socket.onmessage = null;
    this.#closed({ code: BROKEN, reason: '' });
  }

  stopped(backend: Backend, error: PlainError): void {
    this.#errors.add(error, backend, 0n, Date.now());
  }

  error(workId: bigint, error: PlainError): void {
    this.#errors.add(error, '', workId, Date.now());
    if (this.#resumeUntil !== undefined) this.#late.add(workId);
    // After everything else of the same work.
    const envelope = create(EnvelopeSchema, { workId, body: { case: 'error', value: create(ErrorSchema, error) } });
    this.#outbox.answer(workId, [encodeFrame(envelope)], 0);
  }

  #send(body: Envelope['body']): void {
    if (this.#socket.readyState === WebSocket.OPEN && this.#resumeUntil === undefined)
      this.#outbox.control(encodeFrame(create(EnvelopeSchema, { body })));
  }

  #receive(data: ArrayBuffer | string): void {
    if (typeof data === 'string') return this.#socket.close(MALFORMED, 'text frames are not part of the protocol');
    const bytes = new Uint8Array(data);
    const frame = decodeFrame(bytes);
    if (!frame.ok) return this.#socket.close(MALFORMED, frame.error.message.slice(0, 100));
    const { envelope, raw } = frame.value;
    const { workId, body } = envelope;
    switch (body.case) {
      case 'welcome':
        return this.#welcome(body.value);
      case 'load': {
        const backend = BACKENDS.find((name) => name === body.value.backend);
        const engine = backend === undefined ? undefined : this.#engines.get(backend);
        if (backend === undefined || engine === undefined) {
          return this.error(
            workId,
            new AgentError(
              Code.BACKEND_UNAVAILABLE,
              `no '${body.value.backend}' engine here, this browser may use ${this.start.backends.join(', ')}`,
            ).toPlain(),
          );
        }
        this.#backendOf.set(body.value.instance, backend);
        return engine.submit({ kind: 'load', workId, load: body.value }, 0);
      }
      case 'unload':
        return this.#engineOf(workId, body.value.instance)?.submit(
          { kind: 'unload', workId, instance: body.value.instance },
          0,
        );
      case 'run':
        return this.#arrived(workId, this.#assembler.begin(workId, body.value, bytes, raw.byteLength));
      case 'chunk':
        return this.#arrived(workId, this.#assembler.chunk(workId, bytes, raw.byteLength));
      case 'cancel':
        return this.#cancel(workId);
      case 'mask':
        return this.#mask(workId, body.value);
      case 'debug':
        return void this.#debug(workId, body.value);
      default:
        return this.#socket.close(MALFORMED, `'${String(body.case)}' is not for the agent`);
    }
  }

  #arrived(workId: bigint, outcome: Outcome<Assembled | undefined>): void {
    if (!outcome.ok) return this.error(workId, outcome.error.toPlain());
    if (outcome.value === undefined) return;
    const { run, frames } = outcome.value;
    const generates = run.generate === undefined ? undefined : run.instance;
    this.#engineOf(workId, run.instance)?.submit({ kind: 'run', workId, frames, generates }, Number(run.timeoutMs));
  }

  #engineOf(workId: bigint, instance: string): EngineHandle | undefined {
    const backend = this.#backendOf.get(instance);
    const engine = backend === undefined ? undefined : this.#engines.get(backend);
    if (engine === undefined)
      this.error(workId, new AgentError(Code.NOT_FOUND, `instance '${instance}' is not loaded`).toPlain());
    return engine;
  }

  async #debug(workId: bigint, request: DebugRequest): Promise<void> {
    for await (const value of debugReports(request, this.#engines, this.#errors, this.#engines.has('webgpu'))) {
      this.#outbox.answer(
        workId,
        [encodeFrame(create(EnvelopeSchema, { workId, body: { case: 'debugReport', value } }))],
        0,
      );
    }
  }

  #cancel(workId: bigint): void {
    if (this.#assembler.forget(workId))
      return this.error(workId, new AgentError(Code.CANCELLED, 'cancelled by the server').toPlain());
    // A cancel that crosses the work's end finds nothing; the end has answered.
    for (const engine of this.#engines.values()) if (engine.cancel(workId)) return;
  }

  // One that crosses the work's end finds nothing.
  #mask(workId: bigint, { position, allowed }: Mask): void {
    for (const engine of this.#engines.values()) if (engine.mask(workId, { position, allowed })) return;
  }

  #welcome(welcome: Welcome): void {
    const { workerId, heartbeatMs, wasmThreads, resumeToken, resumeMs, engineToken, deviceKey, tier } = welcome;
    this.#isWelcome = true;
    this.#resumeToken = resumeToken;
    this.#resumeMs = resumeMs;
    tellPage({ kind: 'welcomed', deviceKey, tier });
    setStatus({ state: 'connected', workerId });
    const attachment = { number: ++this.#attachment, slot: this.start.slot, token: engineToken };
    if (engineToken !== '') for (const engine of this.#engines.values()) engine.attach(attachment);
    if (this.#resumeUntil !== undefined) {
      this.#resumeUntil = undefined;
      this.#late.clear();
      return this.#beat();
    }
    // The first backend of the list is the default one: what it needs is fetched before the first load asks.
    let isFirst = true;
    for (const engine of this.#engines.values()) {
      engine.configure(wasmThreads || Math.min(4, navigator.hardwareConcurrency), isFirst);
      isFirst = false;
    }
    this.#beat();
    setInterval(() => this.#beat(), heartbeatMs || HEARTBEAT_MS);
  }

  #beat(): void {
    const engines = [...this.#engines.values()];
    const sum = (of: (engine: EngineHandle) => number): bigint =>
      BigInt(engines.reduce((total, engine) => total + of(engine), 0));
    const running = engines.flatMap((engine) => engine.workIds);
    const value = create(HeartbeatSchema, {
      sequence: ++this.#sequence,
      pageAgeMs: Math.round(performance.now() - pageBeatAt),
      engineAgeMs: Object.fromEntries(engines.map((engine) => [engine.backend, engine.ageMs])),
      running,
      wasmBytes: sum((engine) => engine.memory.wasmBytes),
      gpuBytes: sum((engine) => Math.max(0, engine.memory.gpuBytes)),
      // One store for all engines of the origin.
      cacheBytes: BigInt(Math.max(0, ...engines.map((engine) => engine.memory.cacheBytes))),
    });
    this.#send({ case: 'heartbeat', value });
    const runs = engines.reduce((total, engine) => total + engine.runs, 0);
    const memoryBytes = Number(value.wasmBytes + value.gpuBytes);
    if (status.works !== running.length || status.runs !== runs || status.memoryBytes !== memoryBytes)
      setStatus({ works: running.length, runs, memoryBytes });
  }
}

let link: Link | undefined;
scope.onmessage = (event: MessageEvent<ToLink>) => {
  pageBeatAt = performance.now();
  if (event.data.kind === 'start') link ??= new Link(event.data);
  else if (event.data.kind === 'leave') link?.leave(event.data.reason);
  else if (event.data.kind === 'pause') link?.pause(event.data.reason);
  else if (event.data.kind === 'resume') link?.resume();
  else if (event.data.kind === 'share' && link !== undefined) link.share = event.data.share;
};
