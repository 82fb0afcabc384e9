import { WorkQueue } from '../../../browser_agent/src/link/workQueue';

test('one runs, the others wait in order', () => {
  const queue = new WorkQueue<string>(4);
  queue.push(1n, 'a', 0, 0);
  queue.push(2n, 'b', 5, 0);
  expect(queue.take()).toMatchObject({ workId: 1n, item: 'a', queuedAt: 0 });
  expect(queue.take()).toBeUndefined();
  expect(queue.workIds).toEqual([1n, 2n]);
  expect(queue.finish(2n)).toBeUndefined();
  expect(queue.finish(1n)).toEqual({ cancelled: false, item: 'a' });
  expect(queue.take()).toMatchObject({ workId: 2n });
});

test('what may join runs beside, in order', () => {
  const queue = new WorkQueue<string>(
    9,
    (next, running) => running.every((item) => item === next) && running.length < 3,
  );
  for (const [at, item] of ['a', 'a', 'b', 'a'].entries()) queue.push(BigInt(at + 1), item, 0, 0);
  expect([queue.take(), queue.take(), queue.take()].map((work) => work?.workId)).toEqual([1n, 2n, undefined]);
  expect(queue.runningCount).toBe(2);
  expect(queue.cancel(2n)).toBe('running');
  expect(queue.finish(2n)).toEqual({ cancelled: true, item: 'a' });
  expect(queue.take()).toBeUndefined();
  expect(queue.finish(1n)).toEqual({ cancelled: false, item: 'a' });
  expect(queue.take()).toMatchObject({ workId: 3n });
  expect(queue.drain()).toMatchObject({ running: [{ workId: 3n }], waiting: [{ workId: 4n }] });
});

test('full is said at once', () => {
  const queue = new WorkQueue<string>(1);
  expect(queue.push(1n, 'a', 0, 0)).toBe(true);
  expect(queue.push(2n, 'b', 0, 0)).toBe(false);
});

test('cancel drops what waits and marks what runs', () => {
  const queue = new WorkQueue<string>(4);
  queue.push(1n, 'a', 0, 0);
  queue.push(2n, 'b', 0, 0);
  queue.take();
  expect(queue.cancel(2n)).toBe('dropped');
  expect(queue.cancel(2n)).toBe('unknown');
  expect(queue.cancel(1n)).toBe('running');
  expect(queue.finish(1n)).toEqual({ cancelled: true, item: 'a' });
});

test('what was drained can be put back, past the limit', () => {
  const queue = new WorkQueue<string>(1);
  queue.push(1n, 'a', 3, 0);
  queue.take();
  queue.push(2n, 'b', 4, 10);
  queue.cancel(1n);
  const { running, waiting } = queue.drain();
  expect(running).toMatchObject([{ workId: 1n, cancelled: true }]);
  expect(queue.workIds).toEqual([]);
  queue.putBack({ ...running[0]!, item: 'a!' });
  for (const work of waiting) queue.putBack(work);
  expect(queue.take()).toMatchObject({ workId: 1n, item: 'a!', queuedAt: 3 });
  expect(queue.finish(1n)).toMatchObject({ cancelled: false });
  expect(queue.expire(14).map((work) => work.workId)).toEqual([2n]);
});

test('deadlines end waiting works only', () => {
  const queue = new WorkQueue<string>(4);
  queue.push(1n, 'a', 0, 10);
  queue.push(2n, 'b', 0, 10);
  queue.push(3n, 'c', 0, 0);
  queue.take();
  expect(queue.expire(9)).toEqual([]);
  expect(queue.expire(10).map((work) => work.workId)).toEqual([2n]);
  expect(queue.workIds).toEqual([1n, 3n]);
});

test('random schedules: every work leaves exactly once', () => {
  const seed = Date.now() % 1e9;
  let state = seed;
  const random = (below: number): number => (state = (state * 1103515245 + 12345) % 2147483648) % below;
  const queue = new WorkQueue<number>(8, (next, running) => running.every((item) => item % 3 === next % 3));
  const entered = new Set<bigint>();
  const left: bigint[] = [];
  for (let step = 0, next = 1n; step < 20_000; step++) {
    switch (random(6)) {
      case 0:
      case 1:
        if (queue.push(next, step, step, random(40))) entered.add(next);
        next++;
        break;
      case 2:
        queue.take();
        break;
      case 3: {
        const one = BigInt(random(Number(next)) + 1);
        for (const workId of [one, ...queue.workIds.slice(0, 1)])
          if (queue.finish(workId) !== undefined) left.push(workId);
        break;
      }
      case 4: {
        const victim = BigInt(random(Number(next)) + 1);
        if (queue.cancel(victim) === 'dropped') left.push(victim);
        break;
      }
      case 5:
        left.push(...queue.expire(step).map((work) => work.workId));
        if (random(50) === 0) left.push(...drained(queue));
        break;
    }
  }
  left.push(...drained(queue));
  expect([...left].sort(), `seed ${seed}`).toEqual([...entered].sort());
});

function drained(queue: WorkQueue<number>): bigint[] {
  const { running, waiting } = queue.drain();
  return [...running, ...waiting].map((work) => work.workId);
}

test('what was adopted keeps the others waiting until it ends or is disowned', () => {
  const queue = new WorkQueue<string>(4);
  const adopted = { workId: 9n, item: 'z', queuedAt: 0, deadline: Infinity };
  queue.adopt(adopted);
  queue.push(1n, 'a', 0, 0);
  expect(queue.take()).toBeUndefined();
  expect(queue.workIds).toEqual([9n, 1n]);
  expect(queue.cancel(9n)).toBe('running');
  expect(queue.finish(9n)).toEqual({ cancelled: true, item: 'z' });
  expect(queue.take()).toMatchObject({ workId: 1n });
  // It came just when another one had been taken.
  queue.adopt(adopted);
  expect(queue.finish(1n)).toMatchObject({ item: 'a' });
  queue.push(2n, 'b', 0, 0);
  expect(queue.take()).toBeUndefined();
  queue.disown();
  expect(queue.finish(9n)).toBeUndefined();
  expect(queue.take()).toMatchObject({ workId: 2n });
  queue.adopt(adopted);
  expect(queue.drain().running).toMatchObject([{ workId: 2n }, { workId: 9n }]);
  expect(queue.workIds).toEqual([]);
});
