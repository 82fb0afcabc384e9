// What WebGPU offers here, in the adapter's own words, and how fast it multiplies. Never throws.
import { create } from '@bufbuild/protobuf';
import { type Benchmark, WebGpuSchema } from '../../generated/shoal/agent/v1/agent_pb';
import type { Probe } from '../../engine/messages';
import { unrated } from '../benchmark';
import { benchmarkWebGpu } from './benchmark';

const absent = (whyNot: string): Probe => ({
  benchmark: unrated('webgpu', whyNot),
  webgpu: create(WebGpuSchema, { available: false, whyNot }),
});

export async function probeWebGpu(): Promise<Probe> {
  // Browsers without WebGPU have no navigator.gpu, whatever the types say.
  const gpu = (navigator as Partial<Navigator>).gpu;
  if (gpu === undefined) return absent('navigator.gpu is not there');
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter();
  } catch (error) {
    return absent(String(error));
  }
  if (adapter === null) return absent('requestAdapter gave null');
  // Some Firefox versions have no info, some leave its fields empty.
  const info = (adapter as { readonly info?: GPUAdapterInfo }).info;
  const limits: Record<string, number> = {};
  for (const key in adapter.limits) {
    const value = (adapter.limits as unknown as Record<string, unknown>)[key];
    if (typeof value === 'number') limits[key] = value;
  }
  const webgpu = create(WebGpuSchema, {
    available: true,
    vendor: info?.vendor ?? '',
    architecture: info?.architecture ?? '',
    device: info?.device ?? '',
    description: info?.description ?? '',
    isFallbackAdapter: isSoftware(info),
    features: [...adapter.features].sort(),
    limits,
  });
  return { webgpu, benchmark: await benchmarkOf(adapter) };
}

// Chromium names SwiftShader but does not always call it a fallback when it was asked for by flag.
function isSoftware(info: GPUAdapterInfo | undefined): boolean {
  if (info === undefined) return false;
  return (
    (info as { isFallbackAdapter?: boolean }).isFallbackAdapter === true ||
    /swiftshader|llvmpipe|lavapipe/i.test(`${info.architecture} ${info.device} ${info.description}`)
  );
}

async function benchmarkOf(adapter: GPUAdapter): Promise<Benchmark> {
  let device: GPUDevice | undefined;
  try {
    device = await adapter.requestDevice();
    return await benchmarkWebGpu(device);
  } catch (error) {
    return unrated('webgpu', String(error));
  } finally {
    device?.destroy();
  }
}
