// The answer to a DebugRequest: the agent's errors, and what each engine tells within two seconds. Bounded by what the
// engines keep; no frame holds more than one shader.
import { create } from '@bufbuild/protobuf';
import { type DebugReport, DebugReportSchema, type DebugRequest } from '../generated/shoal/agent/v1/agent_pb';
import type { Backend, EngineDebug } from '../engine/messages';
import type { ErrorLog } from './errorLog';

const ENGINE_MS = 2000;

interface Debugged {
  debug(request: DebugRequest): Promise<EngineDebug>;
}

export async function* debugReports(
  request: DebugRequest,
  engines: ReadonlyMap<Backend, Debugged>,
  errors: ErrorLog,
  hasWebGpu: boolean,
): AsyncGenerator<DebugReport> {
  if (request.errors) yield create(DebugReportSchema, { errors: [...errors.kept] });
  const notes: string[] = [];
  if (request.operations || request.shaders || request.setTrace) {
    const told = await Promise.all(
      [...engines].map(([backend, engine]) => Promise.race([engine.debug(request), late(backend)])),
    );
    for (const { operations, shaders, notes: more } of told) {
      notes.push(...more);
      if (operations.length > 0) yield create(DebugReportSchema, { operations: [...operations] });
      for (const shader of shaders) yield create(DebugReportSchema, { shaders: [shader] });
    }
  }
  if (request.shaders && !hasWebGpu) notes.push('shaders: this agent has no webgpu engine');
  yield create(DebugReportSchema, { notes, last: true });
}

const late = (backend: Backend): Promise<EngineDebug> =>
  new Promise((resolve) =>
    setTimeout(
      () => resolve({ operations: [], shaders: [], notes: [`${backend}: its engine is busy; ask again`] }),
      ENGINE_MS,
    ),
  );
