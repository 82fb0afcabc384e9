// What the hello says of this browser: its own answers, and each demanded engine's probe, one after the other so that
// the micro-benchmarks do not disturb each other. Bounded: an engine that does not answer in time is reported as such.
import { create } from '@bufbuild/protobuf';
import { type Capabilities, CapabilitiesSchema } from '../generated/shoal/agent/v1/agent_pb';
import { unrated } from '../backend/benchmark';
import { wasmFeatures } from '../backend/wasm/features';
import type { Backend, Probe } from '../engine/messages';
import type { EngineHandle } from './engineHandle';
import type { Probed } from './messages';

// A backend whose probe comes later is lost to this browser, and a busy machine may need seconds for a software adapter.
const PROBE_MS = 6000;
// The server waits 10 s for the hello.
const ALL_PROBES_MS = 8500;

export async function capabilitiesOf(engines: ReadonlyMap<Backend, EngineHandle>): Promise<Capabilities> {
  const wasm = wasmFeatures();
  const capabilities = create(CapabilitiesSchema, {
    cores: navigator.hardwareConcurrency,
    deviceMemoryGib: (navigator as { deviceMemory?: number }).deviceMemory ?? 0,
    crossOriginIsolated: globalThis.crossOriginIsolated,
    wasmSimd: wasm.simd,
    wasmRelaxedSimd: wasm.relaxedSimd,
    wasmThreads: wasm.threads,
    jspi: wasm.jspi,
  });
  const end = performance.now() + ALL_PROBES_MS;
  for (const [backend, engine] of engines) {
    const probe = await Promise.race([
      engine.probe(),
      late(backend, Math.max(0, Math.min(PROBE_MS, end - performance.now()))),
    ]);
    capabilities.benchmarks.push(probe.benchmark);
    if (probe.webgpu !== undefined) capabilities.webgpu = probe.webgpu;
    if (probe.webnn !== undefined) capabilities.webnn.push(...probe.webnn);
  }
  return capabilities;
}

export function probed(backends: readonly Backend[], found: Capabilities): Probed {
  return {
    kind: 'probed',
    backends: backends.map((backend) => ({
      backend,
      whyNot: found.benchmarks.find((benchmark) => benchmark.backend === backend)?.whyNot ?? 'it was not probed',
    })),
    isSoftwareGpu: found.webgpu?.isFallbackAdapter ?? false,
    hasThreads: found.wasmThreads && found.crossOriginIsolated,
  };
}

const late = (backend: Backend, ms: number): Promise<Probe> =>
  new Promise((resolve) =>
    setTimeout(() => resolve({ benchmark: unrated(backend, `the probe did not end within ${Math.round(ms)} ms`) }), ms),
  );
