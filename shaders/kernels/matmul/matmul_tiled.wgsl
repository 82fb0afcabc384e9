// c = a * b in f32. a is [m, k], b is [k, n], c is [m, n], all row-major.
// Ladder: 2, tiled through workgroup memory; one thread per element of c. The agent's probe runs it to rate an adapter.

struct Params {
  m: u32,
  n: u32,
  k: u32,
}

const TILE: u32 = 16u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

var<workgroup> a_tile: array<array<f32, 16>, 16>;
var<workgroup> b_tile: array<array<f32, 16>, 16>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) global_id: vec3<u32>, @builtin(local_invocation_id) local_id: vec3<u32>) {
  let row = global_id.y;
  let column = global_id.x;
  var sum = 0.0;
  // The trip count comes from a uniform, so every invocation meets both barriers.
  for (var start = 0u; start < params.k; start += TILE) {
    let a_column = start + local_id.x;
    let b_row = start + local_id.y;
    a_tile[local_id.y][local_id.x] = 0.0;
    b_tile[local_id.y][local_id.x] = 0.0;
    if (row < params.m && a_column < params.k) {
      a_tile[local_id.y][local_id.x] = a[row * params.k + a_column];
    }
    if (b_row < params.k && column < params.n) {
      b_tile[local_id.y][local_id.x] = b[b_row * params.n + column];
    }
    workgroupBarrier();
    for (var step = 0u; step < TILE; step++) {
      sum += a_tile[local_id.y][step] * b_tile[step][local_id.x];
    }
    workgroupBarrier();
  }
  if (row < params.m && column < params.n) {
    c[row * params.n + column] = sum;
  }
}
