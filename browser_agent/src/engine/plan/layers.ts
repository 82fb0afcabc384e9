// The layers of a step that has begun. Between two the worker may hear a cancel.
import type { RunControl } from '../engine';
import type { PlanSession } from './session';

// How long a run may compute before it lets the worker hear: a cancel waits for that and a layer.
export const BREATH_MS = 20;

export async function runLayers(session: PlanSession, control: RunControl): Promise<void> {
  let breathed = performance.now();
  while (session.layersLeft > 0) {
    if (performance.now() - breathed > BREATH_MS) {
      await control.breathe();
      breathed = performance.now();
    }
    session.runLayer();
  }
}
