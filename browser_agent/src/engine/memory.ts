// What this worker's engine holds, counted where it is taken: wasm memories, GPU buffers, WebNN tensors and constants.
// Browsers tell neither (measureUserAgentSpecificMemory sees no wasm), so the constructors are wrapped, before the
// runtime's own modules are imported.
export interface Destroyable {
  destroy?(): void;
}

interface Sized {
  readonly bytes: number;
}

const BYTES_OF: Readonly<Record<string, number>> = {
  float32: 4,
  float16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  int8: 1,
  uint8: 1,
  int4: 0.5,
  uint4: 0.5,
};

type Method = (this: object, ...args: never[]) => unknown;

export class MemoryMeter {
  readonly #memories: WebAssembly.Memory[] = [];
  readonly #entries = new WeakMap<object, Sized>();
  #gpuBytes = 0;
  readonly #graphs: Destroyable[] = [];
  // Collected without destroy(): the browser has freed it too.
  readonly #collected = new FinalizationRegistry<Sized>((entry) => (this.#gpuBytes -= entry.bytes));

  get wasmBytes(): number {
    return this.#memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
  }

  get gpuBytes(): number {
    return this.#gpuBytes;
  }

  install(): void {
    const memories = this.#memories;
    WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
      construct(target, args: [WebAssembly.MemoryDescriptor]) {
        const memory = new target(...args);
        memories.push(memory);
        return memory;
      },
    });
    this.#count('GPUDevice', 'createBuffer', (descriptor: { readonly size: number }) => descriptor.size);
    this.#release('GPUBuffer');
    this.#count(
      'MLContext',
      'createTensor',
      (descriptor: { readonly dataType: string; readonly shape: readonly number[] }) => tensorBytes(descriptor),
    );
    this.#release('MLTensor');
    this.#countGraphs();
  }

  // A memory that nobody uses any more: the browser frees it when it likes.
  forget(memory: WebAssembly.Memory): void {
    const at = this.#memories.indexOf(memory);
    if (at >= 0) this.#memories.splice(at, 1);
  }

  // The WebNN graphs built since the last call. Their owner destroys them: onnxruntime leaves that to the garbage collector,
  // which knows nothing of the memory behind them.
  takeGraphs(): Destroyable[] {
    return this.#graphs.splice(0);
  }

  // A built graph holds its constants, repacked, until it is collected.
  #countGraphs(): void {
    const constants = new WeakMap<object, number>();
    this.#wrap('MLGraphBuilder', 'constant', (original) => {
      return function (this: object, ...args: never[]) {
        const data = args[1] as unknown;
        const bytes = ArrayBuffer.isView(data) || data instanceof ArrayBuffer ? data.byteLength : 0;
        constants.set(this, (constants.get(this) ?? 0) + bytes);
        return original.apply(this, args);
      };
    });
    this.#wrap('MLGraphBuilder', 'build', (original) => {
      const add = this.#add.bind(this);
      const graphs = this.#graphs;
      return function (this: object, ...args: never[]) {
        const built = original.apply(this, args) as Promise<object>;
        return built.then((graph) => {
          add(graph, constants.get(this) ?? 0);
          graphs.push(graph);
          return graph;
        });
      };
    });
    this.#release('MLGraph');
  }

  #add(taken: object, bytes: number): void {
    const entry = { bytes };
    this.#gpuBytes += bytes;
    this.#entries.set(taken, entry);
    this.#collected.register(taken, entry, entry);
  }

  #remove(taken: object): void {
    const entry = this.#entries.get(taken);
    if (entry === undefined) return;
    this.#entries.delete(taken);
    this.#collected.unregister(entry);
    this.#gpuBytes -= entry.bytes;
  }

  #count<D>(type: string, method: string, bytes: (descriptor: D) => number): void {
    this.#wrap(type, method, (original) => {
      const add = this.#add.bind(this);
      return function (this: object, ...args: never[]) {
        const made = original.apply(this, args);
        const size = bytes(args[0] as D);
        if (made instanceof Promise) return made.then((taken: object) => (add(taken, size), taken));
        add(made as object, size);
        return made;
      };
    });
  }

  #release(type: string): void {
    this.#wrap(type, 'destroy', (original) => {
      const remove = this.#remove.bind(this);
      return function (this: object, ...args: never[]) {
        remove(this);
        return original.apply(this, args);
      };
    });
  }

  #wrap(type: string, method: string, wrapper: (original: Method) => Method): void {
    const prototype = (globalThis as unknown as Record<string, { prototype: Record<string, Method> } | undefined>)[type]
      ?.prototype;
    const original = prototype?.[method];
    if (prototype !== undefined && original !== undefined) prototype[method] = wrapper(original);
  }
}

function tensorBytes(descriptor: { readonly dataType: string; readonly shape: readonly number[] }): number {
  return Math.ceil(
    descriptor.shape.reduce((product, size) => product * size, 1) * (BYTES_OF[descriptor.dataType] ?? 4),
  );
}
