// An engine's own connection, with a fake WebSocket.
import { MAX_ANSWER_BYTES, OwnSocket } from '../../../browser_agent/src/engine/ownSocket';
import { decodeFrame } from '../../../browser_agent/src/protocol/frame';

class FakeSocket {
  static readonly OPEN = 1;
  static all: FakeSocket[] = [];
  static get last(): FakeSocket {
    return FakeSocket.all.at(-1)!;
  }
  readonly sent: Uint8Array[] = [];
  readyState = 0;
  onopen: () => void = () => undefined;
  onmessage: (event: { data: ArrayBuffer }) => void = () => undefined;
  onclose: (event: { code: number }) => void = () => undefined;
  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    FakeSocket.all.push(this);
  }
  send(bytes: Uint8Array): void {
    this.sent.push(bytes);
  }
  close(): void {
    this.readyState = 2;
  }
  open(): void {
    this.readyState = 1;
    this.onopen();
  }
}

const bytes = (size: number): Uint8Array<ArrayBuffer> => new Uint8Array(size);
const attachment = (number: number) => ({ number, slot: 'headless_shell/0', token: 'secret' });
let messages: [number, number][];
let cuts: number[];
let own: OwnSocket;
beforeEach(() => {
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('location', { href: 'http://localhost:8000/agent/engine.js' });
  FakeSocket.all = [];
  messages = [];
  cuts = [];
  own = new OwnSocket('wasm', {
    message: (message, number) => void messages.push([message.byteLength, number]),
    cut: (number) => void cuts.push(number),
  });
});
afterEach(() => vi.unstubAllGlobals());

test('it says first whose it is', () => {
  own.attach(attachment(1));
  expect(FakeSocket.last).toMatchObject({ url: 'ws://localhost:8000/agent/ws', protocol: 'shoal.agent.v1' });
  FakeSocket.last.open();
  const frame = decodeFrame(FakeSocket.last.sent[0]!);
  if (!frame.ok) throw frame.error;
  expect(frame.value.envelope.body).toMatchObject({
    case: 'attach',
    value: { slot: 'headless_shell/0', token: 'secret', backend: 'wasm' },
  });
});

test('one short frame is sent, anything else must go another way', () => {
  expect(own.send([bytes(8)])).toBeUndefined();
  own.attach(attachment(3));
  expect(own.send([bytes(8)])).toBeUndefined();
  FakeSocket.last.open();
  expect(own.send([bytes(8)])).toBe(3);
  expect(own.send([bytes(MAX_ANSWER_BYTES)])).toBe(3);
  expect(own.send([bytes(MAX_ANSWER_BYTES + 1)])).toBeUndefined();
  expect(own.send([bytes(8), bytes(8)])).toBeUndefined();
  expect(own.send([])).toBeUndefined();
  expect(FakeSocket.last.sent).toHaveLength(3);
});

test('messages and breaks are told with their attachment, and only those of the last one', () => {
  own.attach(attachment(1));
  const first = FakeSocket.last;
  first.open();
  first.onmessage({ data: new ArrayBuffer(5) });
  own.attach(attachment(2));
  const second = FakeSocket.last;
  second.open();
  expect(first.readyState).toBe(2);
  first.onmessage({ data: new ArrayBuffer(6) });
  first.onclose({ code: 1006 });
  second.onmessage({ data: new ArrayBuffer(7) });
  second.onclose({ code: 1006 });
  expect(messages).toEqual([
    [5, 1],
    [7, 2],
  ]);
  expect(cuts).toEqual([2]);
  expect(own.send([bytes(8)])).toBeUndefined();
});

test('one that never opened is not missed', () => {
  own.attach(attachment(1));
  FakeSocket.last.onclose({ code: 1006 });
  expect(cuts).toEqual([]);
  expect(own.send([bytes(8)])).toBeUndefined();
});

test('one that was refused is not missed, and none may be left', () => {
  own.attach(attachment(1));
  FakeSocket.last.open();
  FakeSocket.last.onclose({ code: 4003 });
  expect(cuts).toEqual([]);
  own.attach(undefined);
  expect(FakeSocket.all).toHaveLength(1);
});
