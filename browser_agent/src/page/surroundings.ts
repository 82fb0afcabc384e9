// What the browser tells of the device it runs on, as far as it does: battery, connection, screen.
interface BatteryManager extends EventTarget {
  readonly charging: boolean;
}
interface Connection extends EventTarget {
  readonly saveData?: boolean;
  readonly type?: string;
}
type Telling = Navigator & { getBattery?: () => Promise<BatteryManager>; connection?: Connection };

const telling = navigator as Telling;

export const connection = telling.connection;

export function isMetered(): boolean | undefined {
  if (connection === undefined) return undefined;
  return connection.saveData === true || connection.type === 'cellular';
}

export async function battery(): Promise<BatteryManager | undefined> {
  try {
    return await telling.getBattery?.();
  } catch {
    return undefined; // refused by a policy: it does not tell
  }
}

// Keeps the screen on while it is wanted and the page is shown; the browser takes the lock away whenever it is hidden.
export class WakeLock {
  #wanted = false;
  #lock: WakeLockSentinel | undefined;

  constructor(private readonly tell: (note: string) => void) {
    document.addEventListener('visibilitychange', () => void this.#update());
  }

  set wanted(wanted: boolean) {
    this.#wanted = wanted;
    void this.#update();
  }

  async #update(): Promise<void> {
    if (!('wakeLock' in navigator)) return this.tell('(this browser cannot)');
    if (!this.#wanted) {
      await this.#lock?.release();
      this.#lock = undefined;
    } else if (document.visibilityState === 'visible' && (this.#lock === undefined || this.#lock.released)) {
      try {
        this.#lock = await navigator.wakeLock.request('screen');
        this.tell('');
      } catch (error) {
        this.tell(`(refused: ${error instanceof Error ? error.message : String(error)})`);
      }
    }
  }
}
