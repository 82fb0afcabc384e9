// Reads from onnxruntime's verbose session log where the graph's nodes really run. The provider list says nothing about it:
// it always ends in CPU. Counts are after fusion, of the main graph and of every subgraph. Pure.
// The lines (session_state.cc VerifyEachNodeIsAssignedToAnEp, webnn_execution_provider.cc GetCapability):
//    All nodes placed on [CPUExecutionProvider]. Number of nodes: 114
//    Node(s) placed on [WebGpuExecutionProvider]. Number of nodes: 88
//      Gather (/embeddings/word_embeddings/Gather)
//   ..., number of partitions supported by WebNN: 1 number of nodes in the graph: 86 number of nodes supported by WebNN: 86
import type { Backend } from '../messages';

export interface Node {
  readonly operator: string;
  readonly name: string;
}

export interface Placement {
  readonly nodes: Readonly<Partial<Record<Backend, number>>>;
  readonly heavyElsewhere: readonly string[];
}

// Where a model spends its time. Fused and layout-changed forms count under the names that really run.
const HEAVY = /MatMul|Gemm|Conv|Attention|Norm|^(LSTM|GRU|RNN|Einsum|MoE|QMoE)$/;

export const isHeavy = (operator: string): boolean => HEAVY.test(operator);

const PROVIDERS: Readonly<Record<string, Backend>> = {
  CPUExecutionProvider: 'wasm',
  WebGpuExecutionProvider: 'webgpu',
  WebNNExecutionProvider: 'webnn',
};

const MAX_NAMED = 64;

export class PlacementReader {
  readonly #nodes: Partial<Record<Backend, number>> = {};
  readonly #named: { readonly node: Node; readonly backend: Backend }[] = [];
  #section: Backend | undefined;
  #allElsewhere = false;
  #webnnNodes = 0;

  constructor(private readonly wanted: Backend) {}

  // Any line of the log; true when it was about placement.
  line(text: string): boolean {
    if (text.includes('GetCapability')) {
      // Once per graph: subgraphs ask for themselves.
      const supported = /number of nodes supported by WebNN: (\d+)/.exec(text);
      if (supported !== null) this.#webnnNodes += Number(supported[1]);
      return true;
    }
    if (!text.includes('VerifyEachNodeIsAssignedToAnEp]')) return false;
    const placed = /(All nodes|Node\(s\)) placed on \[(\w+)\]\. Number of nodes: (\d+)/.exec(text);
    if (placed !== null) {
      const backend = PROVIDERS[placed[2]!] ?? 'wasm';
      this.#section = backend;
      this.#nodes[backend] = (this.#nodes[backend] ?? 0) + Number(placed[3]);
      if (placed[1] === 'All nodes' && backend !== this.wanted && Number(placed[3]) > 0) this.#allElsewhere = true;
      return true;
    }
    const node = /VerifyEachNodeIsAssignedToAnEp\]\s+(\S+) \((.*)\)\s*$/.exec(text);
    if (node !== null && this.#section !== undefined)
      this.#named.push({ node: { operator: node[1]!, name: node[2]! }, backend: this.#section });
    return true;
  }

  // `graph` is the file's own node list: when everything landed on one other provider, the log names no nodes.
  result(graph: () => readonly Node[]): Placement {
    const nodes = { ...this.#nodes };
    // onnxruntime counts each compiled WebNN partition as one node; report what is inside.
    if (nodes.webnn !== undefined) nodes.webnn = this.#webnnNodes;
    const elsewhere = this.#named
      .filter(({ node, backend }) => backend !== this.wanted && isHeavy(node.operator))
      .map(({ node, backend }) => `${node.operator} ${node.name} on ${backend}`);
    if (this.#allElsewhere && nodes[this.wanted] === undefined) {
      elsewhere.push(
        ...graph()
          .filter((node) => isHeavy(node.operator))
          .map((node) => `${node.operator} ${node.name} on wasm`),
      );
    }
    return { nodes, heavyElsewhere: elsewhere.slice(0, MAX_NAMED) };
  }
}
