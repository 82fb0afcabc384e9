import { afterClose, GOOD_LINK_MS, LONGEST_PAUSE_MS, OTHER_VERSION } from '../../../browser_agent/src/page/reconnect';

const fresh = { failures: 0, bypassed: false };

test('pauses double from 1 s to 10 s', () => {
  const pauses: number[] = [];
  let history = fresh;
  for (let close = 0; close < 6; close++) {
    const action = afterClose(1006, 0, history);
    if (action.kind !== 'reload') throw new Error('stopped');
    pauses.push(action.afterMs);
    history = action.history;
  }
  expect(pauses).toEqual([1000, 2000, 4000, 8000, LONGEST_PAUSE_MS, LONGEST_PAUSE_MS]);
});

test('a link that held long makes the next pause short', () => {
  expect(afterClose(1006, GOOD_LINK_MS, { failures: 5, bypassed: false })).toMatchObject({ afterMs: 1000 });
});

test('another version: the caches are bypassed once, then it stops', () => {
  const first = afterClose(OTHER_VERSION, 0, fresh);
  expect(first).toMatchObject({
    kind: 'reload',
    afterMs: 0,
    bypassCaches: true,
  });
  if (first.kind !== 'reload') throw new Error('stopped');
  expect(afterClose(OTHER_VERSION, 0, first.history)).toEqual({ kind: 'stop' });
});

test('after a good link the caches may be bypassed again; after a failed one not', () => {
  const bypassed = { failures: 0, bypassed: true };
  expect(afterClose(1006, 100, bypassed)).toMatchObject({
    history: { bypassed: false },
  });
  expect(afterClose(1006, 0, bypassed)).toMatchObject({
    history: { bypassed: true },
  });
});
