// onnxruntime-web, the build that fits the backend, with its files from our own origin. Never the default import, whose
// WebGPU is the older JavaScript provider. Loaded once per engine worker.
import type * as Ort from 'onnxruntime-web';
import { AgentError, Code, describe } from '../../protocol/outcome';
import type { Backend } from '../messages';
import { wasmFeatures } from '../../backend/wasm/features';

// ModelProto: ir_version 8, opset 17, the one node y = Identity(x) for float [1].
const IDENTITY =
  '0808420210113a450a1a0a01781201791a084964656e7469747922084964656e74697479120567726170685a0f0a0178120a0a08080112040a02' +
  '0801620f0a0179120a0a08080112040a020801';

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
  // The first session starts the wasm module and its threads: here, beside the download of the weights, not behind it.
  const identity = Uint8Array.from(IDENTITY.match(/../g)!, (hex) => parseInt(hex, 16));
  await (await ort.InferenceSession.create(identity, { executionProviders: ['wasm'] })).release();
  return ort;
}

function requireBackend(backend: Backend): void {
  const missing = (what: string): AgentError =>
    new AgentError(Code.BACKEND_UNAVAILABLE, `${backend} is not in this browser: ${what} is not there`);
  if (backend === 'webgpu' && !('gpu' in navigator)) throw missing('navigator.gpu');
  if (backend === 'webnn' && !('ml' in navigator)) throw missing('navigator.ml');
}
