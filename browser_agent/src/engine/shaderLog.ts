// The compute shaders that this worker's engine gave to WebGPU, with the override constants of their pipelines: the
// constructors are wrapped before the runtime is imported. A shader cannot be read back later, so its text is kept from
// the start, within bounds.
import { create } from '@bufbuild/protobuf';
import { type Shader, ShaderSchema } from '../generated/shoal/agent/v1/agent_pb';

export const MAX_SHADERS = 256;
export const MAX_TEXT = 60_000; // characters of one
const MAX_TOTAL_TEXT = 2 * 1024 * 1024;

interface ModuleDescriptor {
  readonly label?: string;
  readonly code: string;
}
interface PipelineDescriptor {
  readonly label?: string;
  readonly compute: {
    readonly module: object;
    readonly entryPoint?: string;
    readonly constants?: Readonly<Record<string, number | boolean>>;
  };
}
type Method = (this: object, ...args: never[]) => unknown;

export class ShaderLog {
  readonly #modules = new WeakMap<object, Shader>();
  readonly #shaders: Shader[] = [];
  #textLength = 0;
  #left = 0;

  install(): void {
    const device = (globalThis as unknown as { GPUDevice?: { prototype: Record<string, Method> } }).GPUDevice
      ?.prototype;
    if (device === undefined) return;
    const module = this.#module.bind(this);
    const pipeline = this.#pipeline.bind(this);
    const wrap = (name: string, note: (descriptor: never, made: object) => void): void => {
      const original = device[name];
      if (original === undefined) return;
      device[name] = function (this: object, ...args: never[]) {
        const made = original.apply(this, args);
        note(args[0]!, made as object);
        return made;
      };
    };
    wrap('createShaderModule', module);
    wrap('createComputePipeline', pipeline);
    wrap('createComputePipelineAsync', pipeline);
  }

  get shaders(): readonly Shader[] {
    return this.#shaders;
  }

  // Those for which there was no room.
  get left(): number {
    return this.#left;
  }

  #module(descriptor: ModuleDescriptor, made: object): void {
    const text = descriptor.code.slice(0, MAX_TEXT);
    if (this.#shaders.length >= MAX_SHADERS || this.#textLength + text.length > MAX_TOTAL_TEXT) {
      this.#left += 1;
      return;
    }
    this.#textLength += text.length;
    const shader = create(ShaderSchema, {
      label: descriptor.label ?? '',
      text,
      isCut: text.length < descriptor.code.length,
    });
    this.#shaders.push(shader);
    this.#modules.set(made, shader);
  }

  #pipeline(descriptor: PipelineDescriptor): void {
    const shader = this.#modules.get(descriptor.compute.module);
    if (shader === undefined) return;
    if (shader.label === '') shader.label = descriptor.label ?? '';
    shader.entryPoint = descriptor.compute.entryPoint ?? shader.entryPoint;
    for (const [name, value] of Object.entries(descriptor.compute.constants ?? {}))
      shader.constants[name] = Number(value);
  }
}
