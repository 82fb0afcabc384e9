import type { Probed } from '../../../browser_agent/src/link/messages';
import { familyOf, shortcomings } from '../../../browser_agent/src/page/shortcomings';

const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const agents = {
  chrome,
  edge: `${chrome} Edg/140.0.0.0`,
  firefox: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  safari:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/604.1',
  other: 'curl/8',
};

const all: Probed = {
  kind: 'probed',
  backends: [
    { backend: 'wasm', whyNot: '' },
    { backend: 'webgpu', whyNot: '' },
    { backend: 'webnn', whyNot: '' },
  ],
  isSoftwareGpu: false,
  hasThreads: true,
};
const without = (lost: string): Probed => ({
  ...all,
  backends: all.backends.map((one) => (one.backend === lost ? { ...one, whyNot: 'no' } : one)),
});

test('families', () => {
  for (const [family, userAgent] of Object.entries(agents)) expect(familyOf(userAgent)).toBe(family);
});

test('nothing is lacking', () => {
  expect(shortcomings({ isSecureContext: true, userAgent: chrome, probed: all })).toEqual([]);
});

test('an insecure address hides all the rest', () => {
  const found = shortcomings({ isSecureContext: false, userAgent: chrome, probed: without('webgpu') });
  expect(found).toHaveLength(1);
  expect(found[0]?.how).toContain('https://');
});

test.each(Object.entries(agents))('%s is told how in its own words', (family, userAgent) => {
  const facts = { isSecureContext: true, userAgent };
  const gpu = shortcomings({ ...facts, probed: without('webgpu') })[0];
  const words = {
    chrome: 'chrome://flags',
    edge: 'edge://flags',
    firefox: 'dom.webgpu.enabled',
    safari: 'Safari',
    other: 'Chrome',
  };
  expect(gpu?.how).toContain(words[family as keyof typeof words]);
  expect(shortcomings({ ...facts, probed: without('webnn') })[0]?.what).toContain('WebNN');
});

test('a software GPU and missing threads are named', () => {
  const found = shortcomings({
    isSecureContext: true,
    userAgent: chrome,
    probed: { ...all, isSoftwareGpu: true, hasThreads: false },
  });
  expect(found.map((one) => one.what)).toEqual([
    expect.stringContaining('software'),
    expect.stringContaining('threads'),
  ]);
});
