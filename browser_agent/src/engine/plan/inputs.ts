// The tensors of a run that a plan takes: token ids, masks and types as 32-bit integers, whether they came as INT64 or INT32.
// Pure.
import { DataType, type Tensor } from '../../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code } from '../../protocol/outcome';
import type { Grid } from './batch';

export interface IntTensor {
  readonly shape: readonly number[];
  readonly data: Int32Array;
}

const invalid = (name: string, what: string): AgentError =>
  new AgentError(Code.INVALID_ARGUMENT, `input '${name}' ${what}`);

// By name; `payload` holds their bytes one after the other. `known` are the names that there may be.
export function intInputs(
  tensors: readonly Tensor[],
  payload: Uint8Array,
  known: readonly string[],
): ReadonlyMap<string, IntTensor> {
  const inputs = new Map<string, IntTensor>();
  let offset = 0;
  for (const tensor of tensors) {
    const bytes = payload.subarray(offset, offset + Number(tensor.byteSize));
    offset += Number(tensor.byteSize);
    if (!known.includes(tensor.name))
      throw new AgentError(Code.INVALID_ARGUMENT, `the plan has no input '${tensor.name}', it has ${known.join(', ')}`);
    if (inputs.has(tensor.name)) throw invalid(tensor.name, 'is given twice');
    inputs.set(tensor.name, { shape: tensor.shape.map(Number), data: integersOf(tensor, bytes) });
  }
  return inputs;
}

function integersOf(tensor: Tensor, bytes: Uint8Array): Int32Array {
  const count = tensor.shape.reduce((product, size) => product * Number(size), 1);
  const width = tensor.datatype === DataType.INT64 ? 8 : tensor.datatype === DataType.INT32 ? 4 : 0;
  if (width === 0) throw invalid(tensor.name, `is ${DataType[tensor.datatype]}, expected INT64 or INT32`);
  if (bytes.byteLength !== count * width)
    throw invalid(tensor.name, `has ${bytes.byteLength} bytes, ${count} elements need ${count * width}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Int32Array(count);
  for (let index = 0; index < count; index++) {
    data[index] = view.getInt32(index * width, true);
    // The upper half of what fits is the sign of the lower.
    if (width === 8 && view.getInt32(index * 8 + 4, true) !== data[index]! >> 31)
      throw invalid(tensor.name, `has ${view.getBigInt64(index * 8, true)} at ${index}, which needs more than 32 bits`);
  }
  return data;
}

export function gridOf(name: string, input: IntTensor): Grid {
  const [batch, tokens] = input.shape;
  if (input.shape.length !== 2 || batch === undefined || tokens === undefined)
    throw invalid(name, `is [${input.shape.join(', ')}], expected [batch, tokens]`);
  return { batch, tokens, data: input.data };
}
