// What to do when the link has closed. Pure. A page is never patched up, always started afresh: after a pause that grows
// with the failures in a row, or, when the server speaks another version (4001), once with the caches bypassed and then
// not again.
export const OTHER_VERSION = 4001;
export const FIRST_PAUSE_MS = 1000;
export const LONGEST_PAUSE_MS = 10_000;
// A link that held this long was a good one: the next pause is short again.
export const GOOD_LINK_MS = 30_000;

export interface History {
  readonly failures: number;
  readonly bypassed: boolean;
}

export type Action =
  | { readonly kind: 'reload'; readonly afterMs: number; readonly bypassCaches: boolean; readonly history: History }
  | { readonly kind: 'stop' };

export function afterClose(code: number, linkMs: number, history: History): Action {
  if (code === OTHER_VERSION) {
    if (history.bypassed) return { kind: 'stop' };
    return { kind: 'reload', afterMs: 0, bypassCaches: true, history: { failures: 0, bypassed: true } };
  }
  const failures = linkMs >= GOOD_LINK_MS ? 0 : history.failures;
  const afterMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
  // A link that was welcomed has the right version: a later 4001 may bypass the caches again.
  return {
    kind: 'reload',
    afterMs,
    bypassCaches: false,
    history: { failures: failures + 1, bypassed: history.bypassed && linkMs === 0 },
  };
}
