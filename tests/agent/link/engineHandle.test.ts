// An engine's life as its handle leads it, with a fake worker.
import { create } from '../../../browser_agent/node_modules/@bufbuild/protobuf/dist/esm';
import { EnvelopeSchema, LoadSchema, RunSchema } from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';
import type { Attachment, FromEngine, Part, ToEngine, WorkMessage } from '../../../browser_agent/src/engine/messages';
import { EngineHandle } from '../../../browser_agent/src/link/engineHandle';
import { encodeFrame } from '../../../browser_agent/src/protocol/frame';
import { AgentError, Code, type PlainError } from '../../../browser_agent/src/protocol/outcome';

type Posted = Exclude<Extract<ToEngine, { readonly workId: bigint }>, { readonly kind: 'cancel' }>;

class FakeWorker {
  static all: FakeWorker[] = [];
  static get last(): FakeWorker {
    return FakeWorker.all.at(-1)!;
  }
  readonly heard: ToEngine[] = [];
  terminated = false;
  onmessage: (event: { data: FromEngine }) => void = () => undefined;
  onerror: (event: unknown) => void = () => undefined;
  constructor() {
    FakeWorker.all.push(this);
  }
  postMessage(message: ToEngine): void {
    this.heard.push(message);
  }
  terminate(): void {
    this.terminated = true;
  }
  say(data: FromEngine): void {
    this.onmessage({ data });
  }
  get works(): Posted[] {
    return this.heard.filter((message): message is Posted => 'workId' in message && message.kind !== 'cancel');
  }
  get cancels(): bigint[] {
    return this.heard.flatMap((message) => (message.kind === 'cancel' ? [message.workId] : []));
  }
}

let answered: [bigint, string][];
const answers = {
  isFull: false,
  outputs: (parts: readonly Part[]) =>
    parts.forEach(({ workId, frames }) => answered.push([workId, `output ${frames.length}`])),
  done: (workId: bigint) => void answered.push([workId, 'end']),
  error: (workId: bigint, error: PlainError) => void answered.push([workId, Code[error.code]]),
  stopped: () => undefined,
  cut: (number: number) => {
    cuts.push(number);
    attachment = undefined;
    handle.attach(undefined);
  },
};
// The link's, as it would be.
let attachment: Attachment | undefined;
let cuts: number[];
const attach = (number: number): void => {
  attachment = { number, slot: 'headless_shell/0', token: 'secret' };
  handle.attach(attachment);
};
const attachments = (): unknown[] =>
  FakeWorker.last.heard.flatMap((message) => (message.kind === 'attach' ? [message.attachment?.number] : []));
const fatal = (code: Code): FromEngine => ({ kind: 'fatal', error: new AgentError(code, 'gone').toPlain() });
const part = (workId: bigint, gotOn?: number): FromEngine => ({
  kind: 'outputs',
  parts: [{ workId, frames: [new Uint8Array(1)], gotOn }],
});
const end = (workId: bigint): FromEngine => ({ kind: 'end', workId, frames: [] });
const load = (workId: bigint, instance: string, freeDimensions = {}): WorkMessage => ({
  kind: 'load',
  workId,
  load: create(LoadSchema, { instance, freeDimensions }),
});
const run = (workId: bigint, instance = 'a'): WorkMessage => ({
  kind: 'run',
  workId,
  frames: [
    encodeFrame(create(EnvelopeSchema, { workId, body: { case: 'run', value: create(RunSchema, { instance }) } })),
  ],
});

let handle: EngineHandle;
beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('Worker', FakeWorker);
  vi.stubGlobal('location', { href: 'http://localhost/agent/link.js' });
  FakeWorker.all = [];
  answered = [];
  cuts = [];
  attachment = undefined;
  handle = new EngineHandle('webgpu', answers);
  handle.configure(2, true);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('works go in one by one and are answered once', () => {
  handle.submit(run(1n), 0);
  handle.submit(run(2n), 0);
  expect(FakeWorker.last.works.map((work) => work.workId)).toEqual([1n]);
  FakeWorker.last.say(end(1n));
  FakeWorker.last.say(end(1n));
  expect(answered).toEqual([[1n, 'end']]);
  expect(handle.workIds).toEqual([2n]);
});

const writes = (workId: bigint): WorkMessage => ({ ...run(workId), generates: 'a' }) as WorkMessage;
const loadChat = (): void => {
  const planLimits = { B: 2n };
  handle.submit({ kind: 'load', workId: 9n, load: create(LoadSchema, { instance: 'a', planLimits }) }, 0);
  FakeWorker.last.say(end(9n));
  answered = [];
};

test('runs that generate go in beside each other, as many as their plan has places', () => {
  loadChat();
  for (const workId of [1n, 2n, 3n]) handle.submit(writes(workId), 0);
  expect(FakeWorker.last.works.map((work) => work.workId)).toEqual([9n, 1n, 2n]);
  FakeWorker.last.say(part(1n));
  FakeWorker.last.say(part(2n));
  expect([...handle.parts.keys()]).toEqual([1n, 2n]);
  FakeWorker.last.say(end(2n));
  expect(FakeWorker.last.works.map((work) => work.workId)).toEqual([9n, 1n, 2n, 3n]);
  expect(handle.cancel(3n)).toBe(true);
  FakeWorker.last.say({ kind: 'error', workId: 3n, error: new AgentError(Code.CANCELLED, 'away').toPlain() });
  FakeWorker.last.say(end(1n));
  expect(answered.slice(2).map(([workId, what]) => `${workId} ${what}`)).toEqual(['2 end', '3 CANCELLED', '1 end']);
  expect(handle.workIds).toEqual([]);
});

test('a death ends all that generate, and the instance comes back before those that wait', () => {
  loadChat();
  for (const workId of [1n, 2n, 3n]) handle.submit(writes(workId), 0);
  FakeWorker.last.say(fatal(Code.INTERNAL));
  expect(answered.map(([workId]) => workId)).toEqual([1n, 2n]);
  expect(FakeWorker.last.works.map(({ kind }) => kind)).toEqual(['load']);
  FakeWorker.last.say(end(FakeWorker.last.works[0]!.workId));
  expect(FakeWorker.last.works.at(-1)).toMatchObject({ workId: 3n });
});

test('one that came on the own connection is joined by others', () => {
  loadChat();
  attach(1);
  FakeWorker.last.say({ kind: 'took', workId: 1n, gotOn: 1, generates: 'a' });
  for (const workId of [2n, 3n]) handle.submit(writes(workId), 0);
  expect(FakeWorker.last.works.map((work) => work.workId)).toEqual([9n, 2n]);
  FakeWorker.last.say({ kind: 'end', workId: 1n, frames: [], gotOn: 1 });
  expect(FakeWorker.last.works.map((work) => work.workId)).toEqual([9n, 2n, 3n]);
});

test('masks go to what runs, and with what waits', () => {
  loadChat();
  for (const workId of [1n, 2n, 3n]) handle.submit(writes(workId), 0);
  const mask = (position: number) => ({ position, allowed: new Uint8Array([position]) });
  const masks = () => FakeWorker.last.heard.flatMap((message) => (message.kind === 'mask' ? [message.workId] : []));
  expect(handle.mask(1n, mask(0))).toBe(true);
  expect(handle.mask(3n, mask(0))).toBe(true);
  expect(handle.mask(4n, mask(0))).toBe(false);
  expect(masks()).toEqual([1n]);
  FakeWorker.last.say(end(1n));
  expect(masks()).toEqual([1n, 3n]);
});

test('after a death only the running work fails; instances come back before the queue goes on', () => {
  handle.submit(load(1n, 'a'), 0);
  FakeWorker.last.say(end(1n));
  handle.submit(load(2n, 'b'), 0);
  FakeWorker.last.say(end(2n));
  handle.submit({ kind: 'unload', workId: 3n, instance: 'b' }, 0);
  FakeWorker.last.say(end(3n));
  handle.submit(run(4n), 0);
  handle.submit(run(5n), 0);
  const first = FakeWorker.last;
  first.say(fatal(Code.DEVICE_LOST));
  expect(first.terminated).toBe(true);
  expect(answered.slice(3)).toEqual([[4n, 'DEVICE_LOST']]);
  const second = FakeWorker.last;
  expect(second.heard[0]).toMatchObject({ kind: 'configure', threads: 2, preload: false });
  expect(second.works).toMatchObject([{ kind: 'load', workId: -1n, load: { instance: 'a' } }]);
  expect(handle.workIds).toEqual([5n]);
  second.say(end(-1n));
  expect(second.works.at(-1)).toMatchObject({ kind: 'run', workId: 5n });
  second.say(end(5n));
  expect(answered.slice(4)).toEqual([[5n, 'end']]);
});

test('a load that kills the engine is tried once more without fixed dimensions, then answered', () => {
  handle.submit(load(1n, 'a', { batch: 1n }), 0);
  FakeWorker.last.say(fatal(Code.GRAPH_BUILDING_ERROR));
  expect(FakeWorker.last.works).toMatchObject([{ kind: 'load', workId: 1n, load: { freeDimensions: {} } }]);
  FakeWorker.last.say(fatal(Code.GRAPH_BUILDING_ERROR));
  expect(answered).toEqual([[1n, 'GRAPH_BUILDING_ERROR']]);
  expect(FakeWorker.last.works).toEqual([]);
});

test('an instance whose reload fails or kills the engine is loaded again by the next one, and no run goes before it', () => {
  handle.submit(load(1n, 'a'), 0);
  FakeWorker.last.say(end(1n));
  FakeWorker.last.say(fatal(Code.DEVICE_LOST));
  handle.submit(run(2n), 0);
  expect(FakeWorker.last.works).toMatchObject([{ kind: 'load', workId: -1n }]);
  // The GPU is not back yet.
  const error = new AgentError(Code.BACKEND_UNAVAILABLE, 'no adapter').toPlain();
  FakeWorker.last.say({ kind: 'error', workId: -1n, error });
  expect(FakeWorker.all).toHaveLength(3);
  expect(FakeWorker.last.works).toMatchObject([{ kind: 'load', workId: -2n }]);
  FakeWorker.last.say(fatal(Code.INTERNAL));
  expect(FakeWorker.last.works).toMatchObject([{ kind: 'load', workId: -3n }]);
  FakeWorker.last.say(end(-3n));
  expect(FakeWorker.last.works.at(-1)).toMatchObject({ kind: 'run', workId: 2n });
  FakeWorker.last.say(end(2n));
  expect(answered).toEqual([
    [1n, 'end'],
    [2n, 'end'],
  ]);
});

test('reloads that go on failing: the engine stays down, and what waited may go to another browser', () => {
  handle.submit(load(1n, 'a'), 0);
  FakeWorker.last.say(end(1n));
  FakeWorker.last.say(fatal(Code.DEVICE_LOST));
  handle.submit(run(2n), 0);
  const error = new AgentError(Code.GRAPH_BUILDING_ERROR, 'no').toPlain();
  for (let reload = -1n; reload >= -5n; reload--) FakeWorker.last.say({ kind: 'error', workId: reload, error });
  expect(answered.at(-1)).toEqual([2n, 'BACKEND_UNAVAILABLE']);
});

test('six deaths within a minute: the engine stays down and says why', () => {
  handle.submit(run(1n), 0);
  for (let death = 0; death < 6; death++) FakeWorker.last.say(fatal(Code.DEVICE_LOST));
  expect(FakeWorker.all).toHaveLength(6);
  handle.submit(run(2n), 0);
  expect(answered).toEqual([
    [1n, 'DEVICE_LOST'],
    [2n, 'BACKEND_UNAVAILABLE'],
  ]);
});

test('deaths that are far apart do not add up', () => {
  for (let death = 0; death < 20; death++) {
    vi.advanceTimersByTime(20_000);
    FakeWorker.last.say(fatal(Code.DEVICE_LOST));
  }
  expect(FakeWorker.all).toHaveLength(21);
});

test('a withdrawn load is unloaded again', () => {
  handle.submit(load(1n, 'a'), 0);
  expect(handle.cancel(1n)).toBe(true);
  FakeWorker.last.say(end(1n));
  expect(answered).toEqual([[1n, 'CANCELLED']]);
  expect(FakeWorker.last.heard.at(-1)).toMatchObject({ kind: 'unload', instance: 'a' });
});

test('nothing starts while answers pile up', () => {
  answers.isFull = true;
  handle.submit(run(1n), 0);
  expect(FakeWorker.last.works).toEqual([]);
  answers.isFull = false;
  vi.advanceTimersByTime(100);
  expect(FakeWorker.last.works.map((work) => work.workId)).toEqual([1n]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a clock ticks only while something waits, and then deadlines are kept', () => {
  expect(vi.getTimerCount()).toBe(0);
  handle.submit(run(1n), 0);
  expect(vi.getTimerCount()).toBe(0);
  handle.submit(run(2n), 120);
  vi.advanceTimersByTime(100);
  expect(answered).toEqual([]);
  vi.advanceTimersByTime(100);
  expect(answered).toEqual([[2n, 'DEADLINE_EXCEEDED']]);
  expect(vi.getTimerCount()).toBe(0);
  handle.submit(run(3n), 0);
  expect(vi.getTimerCount()).toBe(1);
  FakeWorker.last.say(end(1n));
  vi.advanceTimersByTime(100);
  expect(vi.getTimerCount()).toBe(0);
  expect(handle.workIds).toEqual([3n]);
});

test('a run on the own connection keeps the others waiting, and its answer is not sent twice', () => {
  attach(1);
  FakeWorker.last.say({ kind: 'took', workId: 7n, gotOn: 1 });
  expect(handle.workIds).toEqual([7n]);
  handle.submit(run(8n), 0);
  expect(FakeWorker.last.works).toEqual([]);
  FakeWorker.last.say({ kind: 'end', workId: 7n, frames: [], sentOn: 1, gotOn: 1 });
  expect(answered).toEqual([]);
  expect(FakeWorker.last.works.map((work) => work.workId)).toEqual([8n]);
  expect(handle.runs).toBe(1);
  FakeWorker.last.say({ kind: 'end', workId: 8n, frames: [], sentOn: 1 });
  expect(answered).toEqual([]);
});

test('what was too long for the own connection goes by the link', () => {
  attach(1);
  FakeWorker.last.say({ kind: 'took', workId: 7n, gotOn: 1 });
  FakeWorker.last.say({ kind: 'end', workId: 7n, frames: [], gotOn: 1 });
  expect(answered).toEqual([[7n, 'end']]);
});

test('a run of a connection that is gone is void: not held, not answered, and it holds up nobody', () => {
  attach(1);
  FakeWorker.last.say({ kind: 'took', workId: 7n, gotOn: 1 });
  handle.submit(run(8n), 0);
  handle.attach(undefined);
  expect(handle.workIds).toEqual([8n]);
  attach(2);
  FakeWorker.last.say({ kind: 'took', workId: 9n, gotOn: 1 });
  // Given out again, by the link.
  handle.submit(run(7n), 0);
  FakeWorker.last.say({ kind: 'end', workId: 7n, frames: [], sentOn: 1, gotOn: 1 });
  const error = new AgentError(Code.INTERNAL, 'no').toPlain();
  FakeWorker.last.say({ kind: 'error', workId: 9n, error, gotOn: 1 });
  expect(answered).toEqual([]);
  expect(handle.workIds).toEqual([8n, 7n]);
});

test('an answer on a connection that is not the last one is sent by the link', () => {
  attach(1);
  handle.submit(run(8n), 0);
  attach(2);
  FakeWorker.last.say({ kind: 'end', workId: 8n, frames: [], sentOn: 1 });
  expect(answered).toEqual([[8n, 'end']]);
});

test('a cancelled work that was answered on the own connection is not answered again', () => {
  attach(1);
  handle.submit(run(8n), 0);
  handle.cancel(8n);
  FakeWorker.last.say({ kind: 'end', workId: 8n, frames: [], sentOn: 1 });
  expect(answered).toEqual([]);
});

test('a death cuts the own connection, and the run that came on it is answered with the reason', () => {
  handle.submit(load(1n, 'a'), 0);
  FakeWorker.last.say(end(1n));
  attach(1);
  FakeWorker.last.say({ kind: 'took', workId: 7n, gotOn: 1 });
  FakeWorker.last.say(fatal(Code.DEVICE_LOST));
  expect(cuts).toEqual([1]);
  expect(answered.at(-1)).toEqual([7n, 'DEVICE_LOST']);
  // No other one before everything is loaded again: runs would come on it.
  attach(2);
  expect(attachments()).toEqual([]);
  FakeWorker.last.say(end(-1n));
  expect(attachments()).toEqual([2]);
});

test('a connection that broke is told to the link', () => {
  attach(1);
  FakeWorker.last.say({ kind: 'cut', number: 1 });
  expect(cuts).toEqual([1]);
});

test('parts of an answer go on at once and are kept until its end, for another connection', () => {
  handle.submit(run(1n), 0);
  FakeWorker.last.say(part(1n));
  FakeWorker.last.say(part(1n));
  FakeWorker.last.say(part(7n));
  expect(answered).toEqual([
    [1n, 'output 1'],
    [1n, 'output 1'],
  ]);
  expect([...handle.parts]).toMatchObject([[1n, [{ length: 1 }, { length: 1 }]]]);
  FakeWorker.last.say(end(1n));
  expect([...handle.parts]).toEqual([]);
  expect(answered.at(-1)).toEqual([1n, 'end']);
});

test('the engine is told of a cancel of what it computes, and its parts go nowhere', () => {
  handle.submit(run(1n), 0);
  handle.submit(run(2n), 0);
  expect(handle.cancel(2n)).toBe(true);
  expect(FakeWorker.last.cancels).toEqual([]);
  expect(handle.cancel(1n)).toBe(true);
  expect(FakeWorker.last.cancels).toEqual([1n]);
  FakeWorker.last.say(part(1n));
  FakeWorker.last.say({ kind: 'error', workId: 1n, error: new AgentError(Code.CANCELLED, 'away').toPlain() });
  expect(answered).toEqual([
    [2n, 'CANCELLED'],
    [1n, 'CANCELLED'],
  ]);
});

test("what came on a connection that broke is ended, its parts are nobody's", () => {
  attach(1);
  FakeWorker.last.say({ kind: 'took', workId: 1n, gotOn: 1 });
  FakeWorker.last.say(part(1n, 1));
  handle.attach(undefined);
  expect(FakeWorker.last.cancels).toEqual([1n]);
  expect([...handle.parts]).toEqual([]);
  FakeWorker.last.say(part(1n, 1));
  expect(answered).toEqual([[1n, 'output 1']]);
});
