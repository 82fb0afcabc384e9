// In the browser: runs /program.wasm, a WASI program that writes text and reads clocks, with the arguments of the page's
// query; posts its exit status and what it printed to /end. Bundled by wasiProgram.ts.
const ERRNO = { ok: 0, badFile: 8, notSupported: 52 } as const;
let memory: WebAssembly.Memory;
const view = (): DataView => new DataView(memory.buffer);

class Exit extends Error {
  constructor(readonly status: number) {
    super(`exit ${status}`);
  }
}

function imports(
  args: readonly string[],
  print: (text: string) => void,
): Record<string, (...numbers: never[]) => number> {
  const encoded = args.map((text) => new TextEncoder().encode(`${text}\0`));
  const decoder = new TextDecoder();
  return {
    args_sizes_get: (count: number, bytes: number) => {
      view().setUint32(count, encoded.length, true);
      view().setUint32(
        bytes,
        encoded.reduce((sum, { length }) => sum + length, 0),
        true,
      );
      return ERRNO.ok;
    },
    args_get: (pointers: number, at: number) => {
      encoded.forEach((bytes, index) => {
        view().setUint32(pointers + 4 * index, at, true);
        new Uint8Array(view().buffer, at, bytes.length).set(bytes);
        at += bytes.length;
      });
      return ERRNO.ok;
    },
    environ_sizes_get: (count: number, bytes: number) => {
      view().setUint32(count, 0, true);
      view().setUint32(bytes, 0, true);
      return ERRNO.ok;
    },
    environ_get: () => ERRNO.ok,
    clock_time_get: (_clock: number, _precision: bigint, at: number) => {
      view().setBigUint64(at, BigInt(Math.round(performance.now() * 1e6)), true);
      return ERRNO.ok;
    },
    fd_write: (file: number, vectors: number, count: number, written: number) => {
      if (file !== 1 && file !== 2) return ERRNO.badFile;
      let bytes = 0;
      for (let index = 0; index < count; index++) {
        const [at, size] = [
          view().getUint32(vectors + 8 * index, true),
          view().getUint32(vectors + 8 * index + 4, true),
        ];
        print(decoder.decode(new Uint8Array(view().buffer, at, size), { stream: true }));
        bytes += size;
      }
      view().setUint32(written, bytes, true);
      return ERRNO.ok;
    },
    fd_prestat_get: () => ERRNO.badFile,
    proc_exit: (status: number) => {
      throw new Exit(status);
    },
  };
}

async function run(): Promise<{ status: number; output: string }> {
  let output = '';
  const args = ['program', ...new URLSearchParams(location.search).getAll('argument')];
  try {
    const module = await WebAssembly.compileStreaming(fetch('/program.wasm'));
    const offered = imports(args, (part) => (output += part));
    const wasi = Object.fromEntries(
      WebAssembly.Module.imports(module).map(({ name }) => [name, offered[name] ?? (() => ERRNO.notSupported)]),
    );
    const { exports } = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi });
    memory = exports['memory'] as WebAssembly.Memory;
    (exports['_start'] as () => void)();
    return { status: 0, output };
  } catch (error) {
    if (error instanceof Exit) return { status: error.status, output };
    return { status: 1, output: `${output}${String(error)}\n` };
  }
}

void run().then((ended) => fetch('/end', { method: 'POST', body: JSON.stringify(ended) }));
