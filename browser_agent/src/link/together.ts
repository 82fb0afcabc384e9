// Which works of an engine may run beside each other. Pure.
import type { WorkMessage } from '../engine/messages';

const generates = (work: WorkMessage): string | undefined => (work.kind === 'run' ? work.generates : undefined);

// Runs that generate share the steps of their instance, as many as it has places, once it is loaded. Beside them there is room for one other
// work, unless it unloads what they use.
export function mayJoin(
  next: WorkMessage,
  running: readonly WorkMessage[],
  placesOf: (instance: string) => number,
): boolean {
  const instance = generates(next);
  if (instance !== undefined) {
    if (running.some((work) => work.kind === 'load' && work.load.instance === instance)) return false;
    return running.filter((work) => generates(work) === instance).length < placesOf(instance);
  }
  return running.every(
    (work) => generates(work) !== undefined && !(next.kind === 'unload' && generates(work) === next.instance),
  );
}
