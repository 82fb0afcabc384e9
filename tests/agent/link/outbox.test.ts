import { HIGH_WATER_BYTES, Outbox } from '../../../browser_agent/src/link/outbox';

const frame = (tag: number, size = 1): Uint8Array<ArrayBuffer> => new Uint8Array(size).fill(tag);

class FakeWire {
  bufferedAmount = 0;
  readonly sent: number[] = [];
  send(bytes: Uint8Array): void {
    this.sent.push(bytes[0]!);
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
