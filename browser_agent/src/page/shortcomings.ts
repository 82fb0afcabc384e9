// What a browser lacks for full speed, and how its owner switches it on. Pure. The browser's name chooses the words only;
// what it can do is what its probes found.
import type { Probed } from '../link/messages';

export interface Facts {
  readonly isSecureContext: boolean;
  readonly userAgent: string;
  readonly probed: Probed | undefined;
}

export interface Shortcoming {
  readonly what: string;
  readonly how: string;
}

export type Family = 'edge' | 'chrome' | 'firefox' | 'safari' | 'other';

export function familyOf(userAgent: string): Family {
  if (/\bEdgA?\//.test(userAgent)) return 'edge';
  if (/\b(Firefox|FxiOS)\//.test(userAgent)) return 'firefox';
  if (/\b(Chrome|CriOS|Chromium|HeadlessChrome)\//.test(userAgent)) return 'chrome';
  return /\bSafari\//.test(userAgent) ? 'safari' : 'other';
}

const SETTINGS: Record<Family, string> = {
  edge: 'edge://flags',
  chrome: 'chrome://flags',
  firefox: 'about:config',
  safari: 'Settings',
  other: 'its settings',
};

function howWebGpu(family: Family): string {
  switch (family) {
    case 'edge':
    case 'chrome':
      return `Update the browser and the graphics driver, and see that hardware acceleration is on. On Linux, enable "Unsafe WebGPU Support" in ${SETTINGS[family]}.`;
    case 'firefox':
      return 'In about:config set dom.webgpu.enabled to true, and dom.webgpu.workers.enabled too where it exists.';
    case 'safari':
      return 'WebGPU comes with Safari 26. Before that: Settings, Apps, Safari, Advanced, Feature Flags, WebGPU.';
    case 'other':
      return 'Use a current Chrome, Edge, Firefox or Safari.';
  }
}

function howWebNn(family: Family): string {
  return family === 'edge' || family === 'chrome'
    ? `Enable "Enables WebNN API" in ${SETTINGS[family]} and start the browser again.`
    : 'Only browsers made from Chromium, such as Chrome and Edge, have WebNN today.';
}

export function shortcomings({ isSecureContext, userAgent, probed }: Facts): Shortcoming[] {
  const family = familyOf(userAgent);
  if (!isSecureContext) {
    return [
      {
        what: 'This address is not secure, so the browser gives it neither a GPU nor threads.',
        how: "Open the page by its https:// address. With the server's own certificate, install /join/ca.pem as a trusted authority first.",
      },
    ];
  }
  if (probed === undefined) return [];
  const found: Shortcoming[] = [];
  const lacks = (backend: string): boolean =>
    probed.backends.some((one) => one.backend === backend && one.whyNot !== '');
  if (lacks('webgpu')) found.push({ what: 'No WebGPU: the GPU is not used.', how: howWebGpu(family) });
  else if (probed.isSoftwareGpu)
    found.push({
      what: 'WebGPU runs in software: no GPU is used.',
      how: `See that hardware acceleration is on, and look at ${family === 'firefox' ? 'about:support' : family === 'edge' ? 'edge://gpu' : 'chrome://gpu'} for the reason.`,
    });
  if (lacks('webnn')) found.push({ what: 'No WebNN: AI accelerators are not used.', how: howWebNn(family) });
  if (!probed.hasThreads)
    found.push({
      what: 'No threads: WebAssembly uses one core.',
      how: "Close extensions that change this page's headers, and do not open it inside another app.",
    });
  return found;
}
