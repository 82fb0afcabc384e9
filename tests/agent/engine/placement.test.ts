// The lines are as onnxruntime-web 1.30 prints them.
import { PlacementReader } from '../../../browser_agent/src/engine/onnx/placement';
import { nodesOfModel } from '../../../browser_agent/src/engine/onnx/graph';

const at = '2026-11-21 13:23:40.289160 [V:onnxruntime:, session_state.cc:1377 VerifyEachNodeIsAssignedToAnEp]';
const capability = (supported: number): string =>
  `2026-11-21 13:23:40.735809 [I:onnxruntime:, webnn_execution_provider.cc:158 GetCapability] WebNNExecutionProvider::GetCapability, number of partitions supported by WebNN: 1 number of nodes in the graph: 90 number of nodes supported by WebNN: ${supported}`;

function read(
  wanted: 'wasm' | 'webgpu' | 'webnn',
  lines: readonly string[],
  graph = (): { operator: string; name: string }[] => [],
) {
  const reader = new PlacementReader(wanted);
  for (const line of lines) reader.line(line);
  return reader.result(graph);
}

test('all on the CPU provider is wasm', () => {
  expect(
    read('wasm', [`${at} Node placements`, `${at}  All nodes placed on [CPUExecutionProvider]. Number of nodes: 114`]),
  ).toEqual({ nodes: { wasm: 114 }, heavyElsewhere: [] });
});

test('heavy nodes elsewhere are named, light ones only counted', () => {
  const lines = [
    `${at} Node placements`,
    `${at}  Node(s) placed on [WebGpuExecutionProvider]. Number of nodes: 2`,
    `${at}   MatMul (/layer/0/MatMul)`,
    `${at}   LayerNormalization (/norm)`,
    `${at}  Node(s) placed on [CPUExecutionProvider]. Number of nodes: 3`,
    `${at}   Shape (/Shape)`,
    `${at}   MatMulInteger (/layer/1/MatMul_quant)`,
    `${at}   Conv (/conv (first))`,
    'W: something else',
  ];
  expect(read('webgpu', lines)).toEqual({
    nodes: { webgpu: 2, wasm: 3 },
    heavyElsewhere: ['MatMulInteger /layer/1/MatMul_quant on wasm', 'Conv /conv (first) on wasm'],
  });
});

test('webnn: what is inside the compiled partitions counts, of all graphs', () => {
  const lines = [
    capability(80),
    capability(6),
    `${at}  Node(s) placed on [WebNNExecutionProvider]. Number of nodes: 1`,
    `${at}   WEBNN_1 (WebNNExecutionProvider_WEBNN_1_0)`,
    `${at}  Node(s) placed on [CPUExecutionProvider]. Number of nodes: 1`,
    `${at}   Gather (/Gather)`,
  ];
  expect(read('webnn', lines)).toEqual({
    nodes: { webnn: 86, wasm: 1 },
    heavyElsewhere: [],
  });
});

test('when nothing got onto the backend, the file itself names the heavy nodes', () => {
  const graph = () => [
    { operator: 'Gemm', name: '/fc' },
    { operator: 'Relu', name: '/relu' },
  ];
  expect(
    read('webnn', [capability(0), `${at}  All nodes placed on [CPUExecutionProvider]. Number of nodes: 2`], graph),
  ).toEqual({ nodes: { wasm: 2 }, heavyElsewhere: ['Gemm /fc on wasm'] });
});

test('subgraphs add up', () => {
  const line = (count: number) => `${at}  All nodes placed on [CPUExecutionProvider]. Number of nodes: ${count}`;
  expect(read('wasm', [line(3), line(4)]).nodes).toEqual({ wasm: 7 });
});

test('the node list of a file, and of garbage', () => {
  const field = (number: number, bytes: number[]): number[] => [(number << 3) | 2, bytes.length, ...bytes];
  const text = (value: string): number[] => [...Buffer.from(value)];
  const inner = field(1, [...field(3, text('in')), ...field(4, text('MatMul'))]);
  const node = [
    ...field(3, text('if')),
    ...field(4, text('If')),
    ...field(5, [...field(1, text('then')), ...field(6, inner)]),
  ];
  expect(nodesOfModel(Uint8Array.from([8, 9, ...field(7, field(1, node))]))).toEqual([
    { operator: 'MatMul', name: 'in' },
    { operator: 'If', name: 'if' },
  ]);
  for (let seed = 0; seed < 200; seed++)
    nodesOfModel(Uint8Array.from({ length: 64 }, (_, index) => (seed * 7919 + index * index * 31) & 0xff));
});
