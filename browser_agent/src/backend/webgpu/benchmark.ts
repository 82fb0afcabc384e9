// Rates a WebGPU device with shaders/kernels/matmul/matmul_tiled.wgsl, submit to completion.
import shader from '../../../../shaders/kernels/matmul/matmul_tiled.wgsl';
import type { Benchmark } from '../../generated/shoal/agent/v1/agent_pb';
import { checkProduct, operands, PRODUCT_SIZE, rated, REPEATS, SMALL_SIZE } from '../benchmark';

const TILE = 16;
// A software adapter pays for every barrier: SwiftShader needs some 400 ms for the large product.
const LARGE_BUDGET_MS = 20;

export async function benchmarkWebGpu(device: GPUDevice): Promise<Benchmark> {
  const pipeline = await device.createComputePipelineAsync({
    layout: 'auto',
    compute: { module: device.createShaderModule({ code: shader }), entryPoint: 'main' },
  });
  const small = await timed(device, pipeline, SMALL_SIZE, 3);
  const growth = (PRODUCT_SIZE / SMALL_SIZE) ** 3;
  if (Math.min(...small) * growth > LARGE_BUDGET_MS) return rated('webgpu', small, SMALL_SIZE);
  return rated('webgpu', await timed(device, pipeline, PRODUCT_SIZE, REPEATS));
}

// Milliseconds of each repeat; the first round compiles and is not counted.
async function timed(
  device: GPUDevice,
  pipeline: GPUComputePipeline,
  size: number,
  repeats: number,
): Promise<number[]> {
  const { a, b } = operands(size);
  const upload = (data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, usage: number): GPUBuffer => {
    const buffer = device.createBuffer({ size: data.byteLength, usage: usage | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  };
  const params = upload(new Uint32Array([size, size, size, 0]), GPUBufferUsage.UNIFORM);
  const left = upload(a, GPUBufferUsage.STORAGE);
  const right = upload(b, GPUBufferUsage.STORAGE);
  const product = device.createBuffer({ size: a.byteLength, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const readback = device.createBuffer({
    size: a.byteLength,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  try {
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [params, left, right, product].map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    const milliseconds: number[] = [];
    for (let repeat = -1; repeat < repeats; repeat++) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(size / TILE, size / TILE);
      pass.end();
      const start = performance.now();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      if (repeat >= 0) milliseconds.push(performance.now() - start);
    }
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(product, 0, readback, 0, a.byteLength);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(GPUMapMode.READ);
    checkProduct(a, b, new Float32Array(readback.getMappedRange()));
    return milliseconds;
  } finally {
    for (const buffer of [params, left, right, product, readback]) buffer.destroy();
  }
}
