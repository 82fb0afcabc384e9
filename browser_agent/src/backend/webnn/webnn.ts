// The part of the WebNN API that the probe uses; TypeScript's library does not know it yet.
export type MlDeviceType = 'cpu' | 'gpu' | 'npu';

export interface MlOperandDescriptor {
  readonly dataType: string;
  readonly shape: readonly number[];
  readonly readable?: boolean;
  readonly writable?: boolean;
}

export interface MlOperand {
  readonly shape: readonly number[];
}

export interface MlTensor {
  destroy(): void;
}

export interface MlGraph {
  destroy?(): void;
}

export interface MlContext {
  createTensor(descriptor: MlOperandDescriptor): Promise<MlTensor>;
  writeTensor(tensor: MlTensor, data: ArrayBufferView): void;
  readTensor(tensor: MlTensor): Promise<ArrayBuffer>;
  dispatch(graph: MlGraph, inputs: Record<string, MlTensor>, outputs: Record<string, MlTensor>): void;
  destroy?(): void;
}

export interface MlGraphBuilder {
  input(name: string, descriptor: MlOperandDescriptor): MlOperand;
  matmul(left: MlOperand, right: MlOperand): MlOperand;
  build(outputs: Record<string, MlOperand>): Promise<MlGraph>;
}

export interface Ml {
  createContext(options: { readonly deviceType: MlDeviceType }): Promise<MlContext>;
}

export const ml = (): Ml | undefined => (navigator as unknown as { ml?: Ml }).ml;

export const newGraphBuilder = (context: MlContext): MlGraphBuilder => {
  const Builder = (globalThis as unknown as { MLGraphBuilder: new (context: MlContext) => MlGraphBuilder })
    .MLGraphBuilder;
  return new Builder(context);
};
