// Which WebNN device types give a context, and how fast the first of them multiplies. Never throws.
import { create } from '@bufbuild/protobuf';
import { type Benchmark, type WebNn, WebNnSchema } from '../../generated/shoal/agent/v1/agent_pb';
import type { Probe } from '../../engine/messages';
import { checkProduct, operands, PRODUCT_SIZE, rated, REPEATS, unrated } from '../benchmark';
import { type MlContext, type MlDeviceType, ml, newGraphBuilder } from './webnn';

const DEVICE_TYPES: readonly MlDeviceType[] = ['cpu', 'gpu', 'npu'];

export async function probeWebNn(): Promise<Probe> {
  const api = ml();
  const webnn: WebNn[] = [];
  let benchmark: Benchmark | undefined;
  for (const deviceType of DEVICE_TYPES) {
    try {
      if (api === undefined) throw new Error('navigator.ml is not there');
      const context = await api.createContext({ deviceType });
      webnn.push(create(WebNnSchema, { deviceType, available: true }));
      benchmark ??= await benchmarkWebNn(context).catch((error: unknown) => unrated('webnn', String(error)));
      context.destroy?.();
    } catch (error) {
      webnn.push(create(WebNnSchema, { deviceType, available: false, whyNot: String(error) }));
    }
  }
  return { webnn, benchmark: benchmark ?? unrated('webnn', webnn[0]?.whyNot ?? '') };
}

async function benchmarkWebNn(context: MlContext): Promise<Benchmark> {
  const { a, b } = operands();
  const matrix = { dataType: 'float32', shape: [PRODUCT_SIZE, PRODUCT_SIZE] } as const;
  const builder = newGraphBuilder(context);
  const graph = await builder.build({ c: builder.matmul(builder.input('a', matrix), builder.input('b', matrix)) });
  const left = await context.createTensor({ ...matrix, writable: true });
  const right = await context.createTensor({ ...matrix, writable: true });
  const product = await context.createTensor({ ...matrix, readable: true });
  try {
    context.writeTensor(left, a);
    context.writeTensor(right, b);
    const milliseconds: number[] = [];
    let c = new ArrayBuffer(0);
    // The first round warms up and is not counted.
    for (let repeat = -1; repeat < REPEATS; repeat++) {
      const start = performance.now();
      context.dispatch(graph, { a: left, b: right }, { c: product });
      c = await context.readTensor(product);
      if (repeat >= 0) milliseconds.push(performance.now() - start);
    }
    checkProduct(a, b, new Float32Array(c));
    return rated('webnn', milliseconds);
  } finally {
    for (const tensor of [left, right, product]) tensor.destroy();
    graph.destroy?.();
  }
}
