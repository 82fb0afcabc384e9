// What the worker offers to a run, and what the run is told meanwhile.
import { AgentError, Code } from '../protocol/outcome';
import type { Packed } from '../protocol/runFrames';
import type { RunControl } from './engine';
import type { MaskBits } from './messages';

// A way to let messages in: those that came before its own are heard first.
const { port1: wake, port2: wakeLater } = new MessageChannel();
const waiting: (() => void)[] = [];
wake.onmessage = () => waiting.shift()?.();

export class WorkerRun implements RunControl {
  #isCancelled = false;
  #masks: MaskBits[] = [];
  #listener: () => void = () => undefined;

  constructor(readonly output: (part: Packed) => void) {}

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  pause(): Promise<void> {
    return new Promise((resolve) => {
      waiting.push(resolve);
      wakeLater.postMessage(null);
    });
  }

  async breathe(): Promise<void> {
    await this.pause();
    this.throwIfCancelled();
  }

  throwIfCancelled(): void {
    if (this.#isCancelled) throw new AgentError(Code.CANCELLED, 'cancelled by the server');
  }

  takeMasks(): readonly MaskBits[] {
    const masks = this.#masks;
    this.#masks = [];
    return masks;
  }

  onNews(listener: () => void): void {
    this.#listener = listener;
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#listener();
  }

  mask(mask: MaskBits): void {
    this.#masks.push(mask);
    this.#listener();
  }
}
