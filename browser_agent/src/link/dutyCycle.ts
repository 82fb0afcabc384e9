// The share of the time that an engine works: after each run it rests for as long as the share says. Pure; the caller
// passes the time. A rest is bounded, so that one long run does not silence a device for minutes.
export const LONGEST_REST_MS = 10_000;
export const LEAST_SHARE = 0.05;

export class DutyCycle {
  #share = 1;
  #restUntil = -Infinity;

  // Above 0 and at most 1: what is outside is taken for the nearest that is inside.
  set share(share: number) {
    this.#share = Math.min(1, Math.max(LEAST_SHARE, Number.isFinite(share) ? share : 1));
    if (this.#share === 1) this.#restUntil = -Infinity;
  }

  worked(ms: number, now: number): void {
    this.#restUntil = now + Math.min(LONGEST_REST_MS, ms * (1 / this.#share - 1));
  }

  isResting(now: number): boolean {
    return now < this.#restUntil;
  }
}
