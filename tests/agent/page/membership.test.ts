import { keepKey, readMembership, tokenIn } from '../../../browser_agent/src/page/membership';

class Store {
  readonly items = new Map<string, string>();
  getItem = (key: string): string | null => this.items.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.items.set(key, value);
  removeItem = (key: string): void => void this.items.delete(key);
}

const fresh = () => ({ tab: new Store(), browser: new Store() });

test('the token is in the fragment', () => {
  expect(tokenIn('#token=abc')).toBe('abc');
  expect(tokenIn('#x=1&token=abc')).toBe('abc');
  expect(tokenIn('#')).toBe('');
  expect(tokenIn('')).toBe('');
});

test('a tab keeps its token, a new one needs the URL', () => {
  const stores = fresh();
  expect(readMembership('#token=abc', stores)).toEqual({ token: 'abc', deviceKey: '' });
  expect(readMembership('', stores).token).toBe('abc');
  expect(readMembership('', { ...stores, tab: new Store() }).token).toBe('');
});

test('the key goes with its token only', () => {
  const stores = fresh();
  keepKey('abc', 'key', stores);
  expect(readMembership('#token=abc', stores).deviceKey).toBe('key');
  expect(readMembership('#token=other', stores).deviceKey).toBe('');
  keepKey('abc', '', stores);
  expect(readMembership('#token=abc', stores).deviceKey).toBe('key');
});

test('a damaged store is forgotten', () => {
  const stores = fresh();
  stores.browser.setItem('shoal-device', '{');
  expect(readMembership('#token=abc', stores)).toEqual({ token: 'abc', deviceKey: '' });
  expect(stores.browser.getItem('shoal-device')).toBeNull();
});
