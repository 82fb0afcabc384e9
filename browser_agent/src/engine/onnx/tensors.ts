// KServe tensors on the wire to onnxruntime's tensors and back, for every datatype that onnxruntime-web has.
// BF16 is refused: onnxruntime-web has no tensor type for it. BYTES are strings in ONNX, so they must be UTF-8.
import { create } from '@bufbuild/protobuf';
import type * as Ort from 'onnxruntime-web';
import { DataType, type Tensor, TensorSchema } from '../../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code } from '../../protocol/outcome';
import type { Packed } from '../../protocol/runFrames';

type Numeric = Exclude<Ort.Tensor.Type, 'string' | 'int4' | 'uint4'>;
interface View {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): ArrayBufferView<ArrayBuffer>;
}

const NUMERIC: ReadonlyMap<DataType, readonly [Numeric, View]> = new Map<DataType, readonly [Numeric, View]>([
  [DataType.BOOL, ['bool', Uint8Array]],
  [DataType.UINT8, ['uint8', Uint8Array]],
  [DataType.UINT16, ['uint16', Uint16Array]],
  [DataType.UINT32, ['uint32', Uint32Array]],
  [DataType.UINT64, ['uint64', BigUint64Array]],
  [DataType.INT8, ['int8', Int8Array]],
  [DataType.INT16, ['int16', Int16Array]],
  [DataType.INT32, ['int32', Int32Array]],
  [DataType.INT64, ['int64', BigInt64Array]],
  [DataType.FP16, ['float16', Uint16Array]],
  [DataType.FP32, ['float32', Float32Array]],
  [DataType.FP64, ['float64', Float64Array]],
]);
const DATATYPE_OF: ReadonlyMap<Ort.Tensor.Type, DataType> = new Map(
  [...NUMERIC].map(([datatype, [type]]) => [type, datatype] as const),
);

type TensorClass = new (
  type: Ort.Tensor.Type,
  data: ArrayBufferView | readonly string[],
  dims: readonly number[],
) => Ort.Tensor;

// The inputs by name; `payload` holds their bytes one after the other.
export function inputsOf(ort: typeof Ort, tensors: readonly Tensor[], payload: Uint8Array): Record<string, Ort.Tensor> {
  const feeds: Record<string, Ort.Tensor> = {};
  let offset = 0;
  for (const tensor of tensors) {
    const bytes = payload.subarray(offset, offset + Number(tensor.byteSize));
    offset += Number(tensor.byteSize);
    if (tensor.name in feeds) throw invalid(tensor, 'is given twice');
    feeds[tensor.name] = inputOf(ort, tensor, bytes);
  }
  return feeds;
}

function inputOf(ort: typeof Ort, tensor: Tensor, bytes: Uint8Array): Ort.Tensor {
  const dims = tensor.shape.map(Number);
  const count = dims.reduce((product, size) => product * size, 1);
  const TensorOf = ort.Tensor as unknown as TensorClass;
  if (tensor.datatype === DataType.BYTES) return new TensorOf('string', stringsOf(tensor, bytes, count), dims);
  const numeric = NUMERIC.get(tensor.datatype);
  if (numeric === undefined) {
    throw new AgentError(
      Code.PRECISION_NOT_SUPPORTED,
      `input '${tensor.name}': onnxruntime-web has no tensors of type ${DataType[tensor.datatype]}`,
    );
  }
  const [type, Type] = numeric;
  const width = Type.BYTES_PER_ELEMENT;
  if (bytes.byteLength !== count * width)
    throw invalid(tensor, `has ${bytes.byteLength} bytes, ${count} elements of ${type} need ${count * width}`);
  // What is aligned to elements needs no copy: the first tensor of a payload that came in several frames, for one.
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  return new TensorOf(type, new Type(aligned.buffer as ArrayBuffer, aligned.byteOffset, count), dims);
}

function stringsOf(tensor: Tensor, bytes: Uint8Array, count: number): string[] {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const strings: string[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    const length = at + 4 <= bytes.byteLength ? view.getUint32(at, true) : Infinity;
    if (at + 4 + length > bytes.byteLength) throw invalid(tensor, `element ${strings.length} runs over the end`);
    try {
      strings.push(decoder.decode(bytes.slice(at + 4, at + 4 + length)));
    } catch {
      throw invalid(tensor, `element ${strings.length} is not UTF-8, which ONNX strings are`);
    }
    at += 4 + length;
  }
  if (strings.length !== count) throw invalid(tensor, `holds ${strings.length} elements, its shape says ${count}`);
  return strings;
}

const invalid = (tensor: Tensor, what: string): AgentError =>
  new AgentError(Code.INVALID_ARGUMENT, `input '${tensor.name}' ${what}`);

export interface NamedOutput {
  readonly name: string;
  readonly type: Ort.Tensor.Type;
  readonly dims: readonly number[];
  readonly data: Ort.Tensor.DataType;
}

export function packed(outputs: readonly NamedOutput[]): Packed {
  const parts = outputs.map((output) =>
    output.type === 'string' ? bytesOfStrings(output.data as string[]) : bytesOfView(output.data as ArrayBufferView),
  );
  const tensors = outputs.map((output, index) => {
    const part = parts[index]!;
    const datatype = output.type === 'string' ? DataType.BYTES : DATATYPE_OF.get(output.type);
    if (datatype === undefined)
      throw new AgentError(
        Code.PRECISION_NOT_SUPPORTED,
        `output '${output.name}' is ${output.type}, which has no KServe datatype`,
      );
    return create(TensorSchema, {
      name: output.name,
      datatype,
      shape: output.dims.map(BigInt),
      byteSize: BigInt(part.byteLength),
    });
  });
  return { tensors, payload: parts.length === 1 ? parts[0]! : joined(parts) };
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}

const bytesOfView = (view: ArrayBufferView): Uint8Array<ArrayBuffer> =>
  new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);

function bytesOfStrings(strings: readonly string[]): Uint8Array<ArrayBuffer> {
  const encoded = strings.map((value) => new TextEncoder().encode(value));
  const bytes = new Uint8Array(encoded.reduce((sum, value) => sum + 4 + value.byteLength, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const value of encoded) {
    view.setUint32(at, value.byteLength, true);
    bytes.set(value, at + 4);
    at += 4 + value.byteLength;
  }
  return bytes;
}

// IEEE half bits to a number, for pooling over FP16 states.
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
