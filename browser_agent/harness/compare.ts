// Whether outputs agree: |a - b| <= atol + rtol * |b|, everywhere, with NaN never agreeing.
export interface Verdict {
  readonly maxDifference: number;
  readonly agrees: boolean;
}

export function compare(got: Float32Array, expected: Float32Array, atol: number, rtol: number): Verdict {
  if (got.length !== expected.length) return { maxDifference: Infinity, agrees: false };
  let maxDifference = 0;
  let agrees = true;
  for (let at = 0; at < got.length; at++) {
    // Masked logits may be infinite on both sides.
    if (got[at] === expected[at]) continue;
    const difference = Math.abs(got[at]! - expected[at]!);
    if (!(difference <= maxDifference)) maxDifference = difference;
    if (!(difference <= atol + rtol * Math.abs(expected[at]!))) agrees = false;
  }
  return { maxDifference, agrees };
}

// Each row of `width` values divided by its length.
export function unitRows(values: Float32Array, width: number): Float32Array {
  return values.map((value, at) => {
    const start = at - (at % width);
    return value / Math.hypot(...values.subarray(start, start + width));
  });
}
