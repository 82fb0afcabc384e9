// What this browser keeps of its membership. The token comes in the URL's fragment, which no server sees, and leaves the
// address bar at once; it lives as long as the tab. The key that the server gave to this device outlives it, so that the
// device comes back as itself.
const TOKEN = 'shoal-token';
const KEY = 'shoal-device';

export interface Membership {
  readonly token: string;
  readonly deviceKey: string;
}

export interface Stores {
  readonly tab: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  readonly browser: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
}

export const tokenIn = (fragment: string): string =>
  new URLSearchParams(fragment.replace(/^#/, '')).get('token')?.trim() ?? '';

export function readMembership(fragment: string, { tab, browser }: Stores): Membership {
  const token = tokenIn(fragment) || (tab.getItem(TOKEN) ?? '');
  if (token !== '') tab.setItem(TOKEN, token);
  try {
    const stored = JSON.parse(browser.getItem(KEY) ?? '{}') as { token?: unknown; key?: unknown };
    if (stored.token === token && typeof stored.key === 'string') return { token, deviceKey: stored.key };
  } catch {
    browser.removeItem(KEY);
  }
  return { token, deviceKey: '' };
}

export function keepKey(token: string, key: string, { browser }: Stores): void {
  if (key !== '') browser.setItem(KEY, JSON.stringify({ token, key }));
}
