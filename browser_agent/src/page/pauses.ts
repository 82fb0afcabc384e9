// Whether a device should pause, and why. Pure. The first reason that holds is the one that is told.
export interface Wishes {
  readonly onHidden: boolean;
  readonly onBattery: boolean;
  readonly onMetered: boolean;
}

export interface Surroundings {
  readonly isHidden: boolean;
  readonly isFrozen: boolean;
  readonly isPausedByOwner: boolean;
  // Undefined: the browser does not tell.
  readonly isOnBattery: boolean | undefined;
  readonly isMetered: boolean | undefined;
}

export const DEFAULT_WISHES: Wishes = { onHidden: true, onBattery: true, onMetered: true };

export function pauseReason(wishes: Wishes, now: Surroundings): string | undefined {
  if (now.isFrozen) return 'the browser has frozen this page';
  if (now.isPausedByOwner) return 'you have paused it';
  if (wishes.onHidden && now.isHidden) return 'this page is not on the screen';
  if (wishes.onBattery && now.isOnBattery === true) return 'the device runs on its battery';
  if (wishes.onMetered && now.isMetered === true) return 'the connection is metered';
  return undefined;
}

// Of what was stored before: anything may be there.
export function readWishes(text: string | null): Wishes {
  try {
    const stored = JSON.parse(text ?? '{}') as Partial<Record<keyof Wishes, unknown>>;
    const kept = (key: keyof Wishes): boolean => {
      const value = stored[key];
      return typeof value === 'boolean' ? value : DEFAULT_WISHES[key];
    };
    return { onHidden: kept('onHidden'), onBattery: kept('onBattery'), onMetered: kept('onMetered') };
  } catch {
    return DEFAULT_WISHES;
  }
}
