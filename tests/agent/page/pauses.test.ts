import { DEFAULT_WISHES, pauseReason, readWishes } from '../../../browser_agent/src/page/pauses';

const calm = { isHidden: false, isFrozen: false, isPausedByOwner: false, isOnBattery: false, isMetered: false };

test('nothing pauses a shown page on mains', () => {
  expect(pauseReason(DEFAULT_WISHES, calm)).toBeUndefined();
});

test.each([
  ['isFrozen', 'frozen'],
  ['isPausedByOwner', 'you have paused'],
  ['isHidden', 'not on the screen'],
  ['isOnBattery', 'battery'],
  ['isMetered', 'metered'],
])('%s pauses', (fact, words) => {
  expect(pauseReason(DEFAULT_WISHES, { ...calm, [fact]: true })).toContain(words);
});

test('wishes that are off do not pause, a frozen page and the owner always do', () => {
  const none = { onHidden: false, onBattery: false, onMetered: false };
  expect(pauseReason(none, { ...calm, isHidden: true, isOnBattery: true, isMetered: true })).toBeUndefined();
  expect(pauseReason(none, { ...calm, isFrozen: true })).toBeDefined();
  expect(pauseReason(none, { ...calm, isPausedByOwner: true })).toBeDefined();
});

test('what the browser does not tell does not pause', () => {
  expect(pauseReason(DEFAULT_WISHES, { ...calm, isOnBattery: undefined, isMetered: undefined })).toBeUndefined();
});

test('stored wishes are read with care', () => {
  expect(readWishes('{"onHidden": false, "onBattery": "x"}')).toEqual({ ...DEFAULT_WISHES, onHidden: false });
  for (const text of [null, '', '{', '[]', '1']) expect(readWishes(text)).toEqual(DEFAULT_WISHES);
  expect(readWishes('null')).toEqual(DEFAULT_WISHES);
});
