import { decodeFrame, framesWithin } from '../../../browser_agent/src/protocol/frame';
import { HIGH_WATER_BYTES, Outbox } from '../../../browser_agent/src/link/outbox';

const frame = (tag: number, size = 1): Uint8Array<ArrayBuffer> => new Uint8Array(size).fill(tag);

class FakeWire {
  bufferedAmount = 0;
  // What each message brought; frames are known by their first bytes.
  readonly messages: number[][] = [];
  get sent(): number[] {
    return this.messages.flat();
  }
  send(bytes: Uint8Array): void {
    const joined = decodeFrame(bytes);
    const frames = joined.ok && joined.value.envelope.body.case === 'frames' ? framesWithin(joined.value.raw) : [bytes];
    this.messages.push(frames.map((one) => one[0]!));
    this.bufferedAmount += bytes.byteLength;
  }
}

function outbox(): { wire: FakeWire; box: Outbox; poll: () => void } {
  const wire = new FakeWire();
  const waiting: (() => void)[] = [];
  const box = new Outbox(wire, (run) => waiting.push(run));
  return { wire, box, poll: () => waiting.splice(0).forEach((run) => run()) };
}

test('frames of one work keep their order', () => {
  const { wire, box } = outbox();
  box.answer(1n, [frame(1), frame(2)], 2);
  box.answer(1n, [frame(3)], 0);
  expect(wire.sent).toEqual([1, 2, 3]);
  expect(box.waitingBytes).toBe(0);
});

test('writing stops at the high water mark; a heartbeat overtakes what waits', () => {
  const { wire, box, poll } = outbox();
  box.answer(1n, [frame(1, HIGH_WATER_BYTES), frame(2), frame(3)], HIGH_WATER_BYTES + 2);
  expect(wire.sent).toEqual([1]);
  box.control(frame(9));
  poll();
  expect(wire.sent).toEqual([1]);
  wire.bufferedAmount = 0;
  poll();
  expect(wire.sent).toEqual([1, 9, 2, 3]);
});

test('works take turns', () => {
  const { wire, box, poll } = outbox();
  wire.bufferedAmount = HIGH_WATER_BYTES;
  box.answer(1n, [frame(11), frame(12), frame(13)], 3);
  box.answer(2n, [frame(21), frame(22)], 2);
  expect(box.waitingBytes).toBe(5);
  wire.bufferedAmount = 0;
  poll();
  expect(wire.sent).toEqual([11, 21, 12, 22, 13]);
  expect(box.waitingBytes).toBe(0);
});

test('what small frames there are at once is one message, a large one is another', () => {
  const { wire, box } = outbox();
  const one = (tag: number, size = 1) => ({ workId: BigInt(tag), frames: [frame(tag, size)], bytes: size });
  box.answers([one(1), one(2), one(3, 65536), one(4), one(5, 65536), one(6)]);
  expect(wire.messages).toEqual([[1, 2], [3], [4], [5], [6]]);
  box.control(frame(9));
  box.answers([one(7), one(8)]);
  expect(wire.messages.slice(5)).toEqual([[9], [7, 8]]);
  expect(box.waitingBytes).toBe(0);
});
