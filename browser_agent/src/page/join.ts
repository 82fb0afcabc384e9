// The page of a device that joins by URL: starts the link worker, shows the owner what the device gives, and passes the
// owner's limits on. It never computes.
import { BACKENDS } from '../engine/messages';
import type { FromLink, Probed, Status, ToLink } from '../link/messages';
import { keepKey, readMembership, type Stores } from './membership';
import { pauseReason, readWishes, type Wishes } from './pauses';
import { afterClose, type History } from './reconnect';
import { shortcomings } from './shortcomings';
import { battery, connection, isMetered, WakeLock } from './surroundings';

const BEAT_MS = 500;
const HISTORY = 'shoal-history';
const WISHES = 'shoal-wishes';
const SHARE = 'shoal-share';
const AWAKE = 'shoal-awake';
const GOODBYE = 1000;
const REFUSED = 4003;

const stores: Stores = { tab: sessionStorage, browser: localStorage };
const membership = readMembership(location.hash, stores);
// The secret is out of the address bar before anybody looks over the owner's shoulder.
if (location.hash !== '') history.replaceState(null, '', location.pathname);

const element = <T extends HTMLElement = HTMLElement>(id: string): T => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as T;
};
const show = (id: string, text: string): void => void (element(id).textContent = text);

let wishes: Wishes = readWishes(localStorage.getItem(WISHES));
let isPausedByOwner = false;
let isFrozen = false;
let isOnBattery: boolean | undefined;
let toldPause: string | undefined;
let connectedAt: number | undefined;
let status: Status | undefined;
let probed: Probed | undefined;
let isOver = false;

let link: Worker | undefined;
const post = (message: ToLink): void => link?.postMessage(message);

function say(state: string, detail = ''): void {
  show('state', state);
  show('detail', detail);
}

function end(state: string, detail: string): void {
  isOver = true;
  link?.terminate();
  link = undefined;
  say(state, detail);
  show('works', '0');
  show('memory', '0 MB');
  show('worker', '-');
  element<HTMLButtonElement>('pause').disabled = true;
  const leave = element<HTMLButtonElement>('leave');
  leave.textContent = 'Join again';
  leave.disabled = membership.token === '';
}

function refresh(): void {
  if (isOver || status === undefined) return;
  show('runs', String(status.runs));
  show('works', String(status.works));
  show('memory', `${Math.round(status.memoryBytes / 1e6)} MB`);
  show('worker', status.workerId || '-');
  if (status.state !== 'connected')
    return say(status.state === 'probing' ? 'Looking at this device' : 'Connecting', 'this takes some seconds');
  if (toldPause !== undefined) return say('Paused', toldPause);
  say(status.works > 0 ? 'Working' : 'Ready', status.works > 0 ? '' : 'waiting for work');
}

function updatePause(): void {
  const reason = pauseReason(wishes, {
    isHidden: document.visibilityState === 'hidden',
    isFrozen,
    isPausedByOwner,
    isOnBattery,
    isMetered: isMetered(),
  });
  if (connectedAt !== undefined && reason !== toldPause) {
    if (reason !== undefined) post({ kind: 'pause', reason });
    else post({ kind: 'resume' });
    toldPause = reason;
  }
  show('pause', isPausedByOwner ? 'Resume' : 'Pause');
  refresh();
}

function showProbed(): void {
  const gpu = probed?.isSoftwareGpu === true ? 'WebGPU (in software)' : 'WebGPU (GPU)';
  const names = { wasm: 'WebAssembly (CPU)', webgpu: gpu, webnn: 'WebNN (accelerator)' };
  const items = (probed?.backends ?? []).map(({ backend, whyNot }) => {
    const item = document.createElement('li');
    item.className = whyNot === '' ? 'usable' : '';
    item.textContent = names[backend];
    return item;
  });
  element('backends').replaceChildren(...items);
  const lacks = shortcomings({ isSecureContext, userAgent: navigator.userAgent, probed });
  element('lacks').hidden = lacks.length === 0;
  element('lackList').replaceChildren(
    ...lacks.flatMap(({ what, how }) => {
      const term = document.createElement('dt');
      term.textContent = what;
      const description = document.createElement('dd');
      description.textContent = how;
      return [term, description];
    }),
  );
}

function readHistory(): History {
  try {
    return { failures: 0, bypassed: false, ...(JSON.parse(stores.tab.getItem(HISTORY) ?? '{}') as Partial<History>) };
  } catch {
    return { failures: 0, bypassed: false };
  }
}

function closed(code: number, reason: string): void {
  if (isOver) return;
  if (code === GOODBYE) return end('You have left', 'nothing is computed here any more');
  if (code === REFUSED) return end('Not let in', reason);
  const action = afterClose(code, connectedAt === undefined ? 0 : performance.now() - connectedAt, readHistory());
  link?.terminate();
  link = undefined;
  connectedAt = undefined;
  if (action.kind === 'stop') return end('Stopped', 'the server and this page have different versions');
  say(
    'Disconnected',
    `${reason === '' ? 'the server does not answer' : reason}; trying again in ${action.afterMs / 1000} s`,
  );
  stores.tab.setItem(HISTORY, JSON.stringify(action.history));
  setTimeout(() => void reload(action.bypassCaches), action.afterMs);
}

async function reload(bypassCaches: boolean): Promise<void> {
  if (bypassCaches)
    await Promise.allSettled(
      ['/join', '/agent/join.js', '/agent/link.js', '/agent/engine.js', '/agent/join.css'].map((file) =>
        fetch(file, { cache: 'reload' }),
      ),
    );
  location.reload();
}

function hear(message: FromLink): void {
  switch (message.kind) {
    case 'closed':
      return closed(message.code, message.reason);
    case 'probed':
      probed = message;
      return showProbed();
    case 'welcomed':
      keepKey(membership.token, message.deviceKey, stores);
      return show(
        'trust',
        message.tier === 'trusted'
          ? 'The server trusts this device with every request.'
          : 'This device gets only requests whose senders allow it, and some of its answers are checked.',
      );
    case 'status':
      status = message;
      if (message.state === 'connected' && connectedAt === undefined) {
        connectedAt = performance.now();
        post({ kind: 'share', share: Number(element<HTMLInputElement>('share').value) / 100 });
      }
      return updatePause();
  }
}

function start(): void {
  if (membership.token === '') return end('No token', 'ask the operator of the server for a link to join');
  link = new Worker('/agent/link.js', { type: 'module', name: 'link' });
  link.onmessage = (event: MessageEvent<FromLink>) => hear(event.data);
  link.onerror = (event) => closed(0, event.message);
  post({ kind: 'start', slot: 'device', backends: BACKENDS, ...membership });
  setInterval(() => post({ kind: 'beat' }), BEAT_MS);
}

function bindLimits(): void {
  const share = element<HTMLInputElement>('share');
  share.value = localStorage.getItem(SHARE) ?? '100';
  const showShare = (): void => show('shareText', `${share.value} %`);
  showShare();
  share.oninput = () => {
    showShare();
    localStorage.setItem(SHARE, share.value);
    post({ kind: 'share', share: Number(share.value) / 100 });
  };
  for (const key of ['onHidden', 'onBattery', 'onMetered'] as const) {
    const box = element<HTMLInputElement>(key);
    box.checked = wishes[key];
    box.onchange = () => {
      wishes = { ...wishes, [key]: box.checked };
      localStorage.setItem(WISHES, JSON.stringify(wishes));
      updatePause();
    };
  }
  const awake = element<HTMLInputElement>('awake');
  const lock = new WakeLock((note) => show('awakeNote', note));
  awake.checked = localStorage.getItem(AWAKE) !== 'false';
  lock.wanted = awake.checked;
  awake.onchange = () => {
    localStorage.setItem(AWAKE, String(awake.checked));
    lock.wanted = awake.checked;
  };
  element('pause').onclick = () => {
    isPausedByOwner = !isPausedByOwner;
    updatePause();
  };
  element('leave').onclick = () => {
    if (isOver) return location.reload();
    post({ kind: 'leave', reason: 'its owner has left' });
    // The server says goodbye; where it does not, this device has left all the same.
    setTimeout(() => closed(GOODBYE, ''), 1000);
  };
}

async function watchSurroundings(): Promise<void> {
  document.addEventListener('visibilitychange', updatePause);
  addEventListener('freeze', () => {
    isFrozen = true;
    updatePause();
  });
  addEventListener('resume', () => {
    isFrozen = false;
    updatePause();
  });
  addEventListener('pagehide', () => post({ kind: 'leave', reason: 'the page is closed' }));
  // A page that comes back from the browser's memory has no connection any more.
  window.addEventListener('pageshow', (event) => event.persisted && location.reload());
  if (isMetered() === undefined) show('meteredNote', '(this browser does not tell)');
  connection?.addEventListener('change', updatePause);
  const found = await battery();
  if (found === undefined) return show('batteryNote', '(this browser does not tell)');
  const update = (): void => {
    isOnBattery = !found.charging;
    updatePause();
  };
  found.addEventListener('chargingchange', update);
  update();
}

bindLimits();
showProbed();
start();
void watchSurroundings();
