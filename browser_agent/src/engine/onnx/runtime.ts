// onnxruntime-web, the build that fits the backend, with its files from our own origin. Never the default import, whose
// WebGPU is the older JavaScript provider. Loaded once per engine worker.
import type * as Ort from 'onnxruntime-web';
import { AgentError, Code, describe } from '../../protocol/outcome';
import type { Backend } from '../messages';
import { wasmFeatures } from '../../backend/wasm/features';

export async function openRuntime(backend: Backend, threads: number): Promise<typeof Ort> {
  requireBackend(backend);
  const features = wasmFeatures();
  if (!features.simd) throw new AgentError(Code.BACKEND_UNAVAILABLE, 'this browser has no WebAssembly SIMD');
  let ort: typeof Ort;
  try {
    // jspi starts faster and runs 10 to 40 % faster than asyncify (measured on headless_shell 153).
    if (backend === 'wasm') ort = await import('onnxruntime-web/wasm');
    else if (features.jspi) ort = await import('onnxruntime-web/jspi');
    else ort = await import('onnxruntime-web/webgpu');
  } catch (error) {
    throw new AgentError(Code.UNAVAILABLE, "onnxruntime-web's files could not be fetched", describe(error));
  }
  ort.env.wasm.wasmPaths = new URL('ort/', location.href).href;
  ort.env.wasm.numThreads = features.threads ? Math.max(1, threads) : 1;
  ort.env.logLevel = 'warning';
  return ort;
}

function requireBackend(backend: Backend): void {
  const missing = (what: string): AgentError =>
    new AgentError(Code.BACKEND_UNAVAILABLE, `${backend} is not in this browser: ${what} is not there`);
  if (backend === 'webgpu' && !('gpu' in navigator)) throw missing('navigator.gpu');
  if (backend === 'webnn' && !('ml' in navigator)) throw missing('navigator.ml');
}
