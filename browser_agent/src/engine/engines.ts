// The engines of one backend, by the name in Load.engine; a run goes where its instance was loaded.
import type { Load, Loaded, Run } from '../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code } from '../protocol/outcome';
import type { Engine, RunControl, RunResult } from './engine';
import type { Backend } from './messages';

export class Engines implements Engine {
  readonly #engineOf = new Map<string, Engine>();

  // `plan` is undefined on a backend that it has no kernels for.
  constructor(
    private readonly backend: Backend,
    private readonly onnx: Engine,
    private readonly plan: Engine | undefined,
  ) {}

  async preload(): Promise<void> {
    await Promise.all([this.plan?.preload(), this.onnx.preload()]);
  }

  async load(load: Load): Promise<Loaded> {
    if (this.#engineOf.has(load.instance))
      throw new AgentError(Code.INVALID_ARGUMENT, `instance '${load.instance}' is already loaded`);
    const engine = this.#engineFor(load.engine);
    const loaded = await engine.load(load);
    this.#engineOf.set(load.instance, engine);
    return loaded;
  }

  async unload(instance: string): Promise<void> {
    const engine = this.#engine(instance);
    this.#engineOf.delete(instance);
    await engine.unload(instance);
  }

  run(run: Run, payload: Uint8Array, control: RunControl): Promise<RunResult> {
    return this.#engine(run.instance).run(run, payload, control);
  }

  #engineFor(name: string): Engine {
    if (name === '' || name === 'onnx') return this.onnx;
    if (name !== 'plan')
      throw new AgentError(Code.INVALID_ARGUMENT, `there is no engine '${name}', there are onnx and plan`);
    if (this.plan === undefined)
      throw new AgentError(Code.BACKEND_UNAVAILABLE, `the plan engine does not run on ${this.backend}, only on wasm`);
    return this.plan;
  }

  #engine(instance: string): Engine {
    const engine = this.#engineOf.get(instance);
    if (engine === undefined)
      throw new AgentError(Code.NOT_FOUND, `instance '${instance}' is not loaded on ${this.backend}`);
    return engine;
  }
}
