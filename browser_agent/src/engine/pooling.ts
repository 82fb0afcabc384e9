// Sentence embeddings from token states, by the formulas of sentence-transformers: mean = sum(mask * x) / max(sum(mask), 1e-9),
// or the first token whose mask is 1 (CLS); then optionally x / max(|x|, 1e-12). Pure; sums in f64.
import { Pooling_Kind as Kind } from '../generated/shoal/agent/v1/agent_pb';
import { AgentError, Code } from '../protocol/outcome';

export interface TokenStates {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

export interface Embedding {
  readonly data: Float32Array<ArrayBuffer>;
  readonly shape: readonly [number, number];
}

// `mask` holds 1 for the tokens that count, [batch, tokens].
export function pool(kind: Kind, normalize: boolean, states: TokenStates, mask: ArrayLike<number | bigint>): Embedding {
  const [batch, tokens, width] = states.shape;
  if (states.shape.length !== 3 || batch === undefined || tokens === undefined || width === undefined) {
    throw new AgentError(
      Code.INVALID_ARGUMENT,
      `pooling needs token states [batch, tokens, width], the output is [${states.shape.join(', ')}]`,
    );
  }
  if (mask.length !== batch * tokens) {
    throw new AgentError(
      Code.INVALID_ARGUMENT,
      `pooling needs a mask of ${batch} x ${tokens}, the input has ${mask.length} elements`,
    );
  }
  const data = new Float32Array(batch * width);
  for (let row = 0; row < batch; row++) {
    const sums = kind === Kind.CLS ? firstToken(states, mask, row) : meanOfTokens(states, mask, row);
    const scale = normalize ? 1 / Math.max(Math.sqrt(sums.reduce((sum, value) => sum + value * value, 0)), 1e-12) : 1;
    for (let column = 0; column < width; column++) data[row * width + column] = sums[column]! * scale;
  }
  return { data, shape: [batch, width] };
}

function meanOfTokens(states: TokenStates, mask: ArrayLike<number | bigint>, row: number): Float64Array {
  const tokens = states.shape[1]!;
  const width = states.shape[2]!;
  const sums = new Float64Array(width);
  let weights = 0;
  for (let token = 0; token < tokens; token++) {
    const weight = Number(mask[row * tokens + token]!);
    if (weight === 0) continue;
    weights += weight;
    const start = (row * tokens + token) * width;
    for (let column = 0; column < width; column++) sums[column]! += weight * states.data[start + column]!;
  }
  const divisor = Math.max(weights, 1e-9);
  return sums.map((sum) => sum / divisor);
}

function firstToken(states: TokenStates, mask: ArrayLike<number | bigint>, row: number): Float64Array {
  const tokens = states.shape[1]!;
  const width = states.shape[2]!;
  let token = 0;
  while (token < tokens && Number(mask[row * tokens + token]!) === 0) token++;
  const start = (row * tokens + (token === tokens ? 0 : token)) * width;
  return Float64Array.from({ length: width }, (_, column) => states.data[start + column]!);
}
