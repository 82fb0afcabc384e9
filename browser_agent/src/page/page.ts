// The page: shows the status, relays its own heartbeat to the link worker, and starts afresh when the link has closed.
// It never computes.
import { type Backend, BACKENDS } from '../engine/messages';
import type { FromLink, ToLink } from '../link/messages';
import { afterClose, type History } from './reconnect';

const BEAT_MS = 500;
const HISTORY = 'shoal-history';

const query = new URLSearchParams(location.search);
const asked = (query.get('backends') ?? 'wasm').split(',');
const backends = asked.filter((name): name is Backend => (BACKENDS as readonly string[]).includes(name));

const show = (id: string, text: string): void => {
  const element = document.getElementById(id);
  if (element !== null) element.textContent = text;
};

function history(): History {
  try {
    return {
      failures: 0,
      bypassed: false,
      ...(JSON.parse(sessionStorage.getItem(HISTORY) ?? '{}') as Partial<History>),
    };
  } catch {
    return { failures: 0, bypassed: false };
  }
}

let connectedAt: number | undefined;

function closed(code: number, reason: string): void {
  const action = afterClose(code, connectedAt === undefined ? 0 : performance.now() - connectedAt, history());
  link.terminate();
  const why = `${code}${reason === '' ? '' : `, ${reason}`}`;
  if (action.kind === 'stop')
    return show('state', `stopped: the server and this page have different versions (${why})`);
  show('state', `disconnected (${why}), starting again in ${action.afterMs / 1000} s`);
  sessionStorage.setItem(HISTORY, JSON.stringify(action.history));
  setTimeout(() => void reload(action.bypassCaches), action.afterMs);
}

async function reload(bypassCaches: boolean): Promise<void> {
  if (bypassCaches)
    await Promise.allSettled(
      ['./', 'page.js', 'link.js', 'engine.js', 'page.css'].map((file) => fetch(file, { cache: 'reload' })),
    );
  location.reload();
}

const link = new Worker(new URL('link.js', location.href), { type: 'module', name: 'link' });
const post = (message: ToLink): void => link.postMessage(message);

link.onmessage = (event: MessageEvent<FromLink>) => {
  const message = event.data;
  if (message.kind === 'closed') return closed(message.code, message.reason);
  if (message.kind !== 'status') return;
  if (message.state === 'connected') connectedAt ??= performance.now();
  show('state', message.state);
  show('worker', message.workerId || '-');
  show('works', String(message.works));
};
link.onerror = (event) => closed(0, event.message);

show('backends', backends.join(', '));
show('build', __SHOAL_BUILD__);
post({ kind: 'start', slot: query.get('slot') ?? '', token: query.get('token') ?? '', backends });
setInterval(() => post({ kind: 'beat' }), BEAT_MS);
addEventListener('freeze', () => post({ kind: 'leave', reason: 'the page is frozen' }));
addEventListener('pagehide', () => post({ kind: 'leave', reason: 'the page is closed' }));
