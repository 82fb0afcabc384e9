// Writes tiny ONNX files for tests, field by field: enough of ModelProto for one-node graphs.
type Dim = number | string;

// TensorProto.DataType
export enum ElementType {
  FLOAT = 1,
  UINT8 = 2,
  INT8 = 3,
  UINT16 = 4,
  INT16 = 5,
  INT32 = 6,
  INT64 = 7,
  STRING = 8,
  BOOL = 9,
  FLOAT16 = 10,
  DOUBLE = 11,
  UINT32 = 12,
  UINT64 = 13,
  BFLOAT16 = 16,
}

export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly Dim[];
}

export interface NodeSpec {
  readonly operator: string;
  readonly domain?: string;
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface ModelSpec {
  readonly nodes: readonly NodeSpec[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  // Float initialisers kept in an external file.
  readonly external?: {
    readonly name: string;
    readonly dims: readonly number[];
    readonly location: string;
    readonly length: number;
  };
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}

const number = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)];
const bytes = (field: number, value: readonly number[]): number[] => [
  ...varint(field * 8 + 2),
  ...varint(value.length),
  ...value,
];
const text = (field: number, value: string): number[] => bytes(field, [...new TextEncoder().encode(value)]);

const nodeProto = (node: NodeSpec): number[] => [
  ...node.inputs.flatMap((input) => text(1, input)),
  ...node.outputs.flatMap((output) => text(2, output)),
  ...text(3, node.name ?? node.operator),
  ...text(4, node.operator),
  ...(node.domain === undefined ? [] : text(7, node.domain)),
];

function valueProto(value: Value): number[] {
  const shape = value.dims.flatMap((dim) => bytes(1, typeof dim === 'number' ? number(1, dim) : text(2, dim)));
  return [...text(1, value.name), ...bytes(2, bytes(1, [...number(1, value.type), ...bytes(2, shape)]))];
}

function externalProto({ name, dims, location, length }: NonNullable<ModelSpec['external']>): number[] {
  const entry = (key: string, value: string): number[] => bytes(13, [...text(1, key), ...text(2, value)]);
  return [
    ...dims.flatMap((dim) => number(1, dim)),
    ...number(2, ElementType.FLOAT),
    ...text(8, name),
    ...entry('location', location),
    ...entry('offset', '0'),
    ...entry('length', String(length)),
    ...number(14, 1),
  ];
}

export function writeModel(spec: ModelSpec): Uint8Array {
  const graph = [
    ...spec.nodes.flatMap((node) => bytes(1, nodeProto(node))),
    ...text(2, 'graph'),
    ...(spec.external === undefined ? [] : bytes(5, externalProto(spec.external))),
    ...spec.inputs.flatMap((value) => bytes(11, valueProto(value))),
    ...spec.outputs.flatMap((value) => bytes(12, valueProto(value))),
  ];
  const domains = new Set(spec.nodes.map((node) => node.domain ?? ''));
  const opsets = [...new Set(['', ...domains])].flatMap((domain) =>
    bytes(8, [...(domain === '' ? [] : text(1, domain)), ...number(2, domain === '' ? 17 : 1)]),
  );
  return Uint8Array.from([...number(1, 8), ...opsets, ...bytes(7, graph)]);
}

// y = x, of any element type.
export function identityModel(type: ElementType, dims: readonly Dim[] = ['n']): Uint8Array {
  return writeModel({
    nodes: [{ operator: 'Identity', inputs: ['x'], outputs: ['y'] }],
    inputs: [{ name: 'x', type, dims }],
    outputs: [{ name: 'y', type, dims }],
  });
}
