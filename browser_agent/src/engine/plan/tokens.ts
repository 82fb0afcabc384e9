// Tokens of an answer as the tensors of an Output. Pure.
import { create } from '@bufbuild/protobuf';
import { DataType, type Tensor, TensorSchema } from '../../generated/shoal/agent/v1/agent_pb';
import type { Packed } from '../../protocol/runFrames';

export interface Made {
  readonly token: number;
  readonly logprob: number;
  readonly top: readonly (readonly [id: number, logprob: number])[];
}

// `top` is how many likeliest tokens are told beside each; without it no log probabilities are.
export function packed(made: readonly Made[], top: number | undefined): Packed {
  const count = made.length;
  const tensors = [tensorOf('tokens', DataType.INT32, [count])];
  const arrays: (Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>)[] = [Int32Array.from(made, ({ token }) => token)];
  if (top !== undefined) {
    tensors.push(tensorOf('logprobs', DataType.FP32, [count]));
    arrays.push(Float32Array.from(made, ({ logprob }) => logprob));
  }
  if (top !== undefined && top > 0) {
    const all = made.flatMap((one) => one.top);
    const width = all.length / count;
    tensors.push(tensorOf('top_ids', DataType.INT32, [count, width]));
    tensors.push(tensorOf('top_logprobs', DataType.FP32, [count, width]));
    arrays.push(
      Int32Array.from(all, ([id]) => id),
      Float32Array.from(all, ([, logprob]) => logprob),
    );
  }
  const payload = new Uint8Array(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const { buffer, byteLength } of arrays) {
    payload.set(new Uint8Array(buffer), at);
    at += byteLength;
  }
  return { tensors, payload };
}

const tensorOf = (name: string, datatype: DataType, shape: readonly number[]): Tensor =>
  create(TensorSchema, {
    name,
    datatype,
    shape: shape.map(BigInt),
    byteSize: BigInt(shape.reduce((product, size) => product * size, 4)),
  });
