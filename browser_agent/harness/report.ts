// What a run of harness/table.ts found, and its Markdown.
import type { Backend } from '../src/engine/messages';

export interface Cell {
  readonly outcome: 'agrees' | 'differs' | 'refused' | 'failed';
  readonly reference?: 'PyTorch' | 'wasm' | 'none';
  readonly maxDifference?: number;
  readonly nodes?: Readonly<Record<string, number>>;
  readonly heavyElsewhere?: readonly string[];
  readonly buildMs?: number;
  readonly computeMs?: number;
  readonly code?: string;
  readonly operator?: string;
  readonly message?: string;
  readonly detail?: string;
}

export interface Report {
  readonly browser: string;
  readonly onnxruntime: string;
  readonly backends: readonly Backend[];
  readonly graphs: readonly {
    readonly name: string;
    readonly task: string;
    readonly cells: Readonly<Partial<Record<Backend, Cell>>>;
  }[];
}

// One cell of the table.
export function summary(cell: Cell | undefined): string {
  if (cell === undefined) return '';
  if (cell.outcome === 'refused' || cell.outcome === 'failed')
    return `${cell.outcome}: ${cell.code}${cell.operator ? ` (${cell.operator})` : ''}`;
  const nodes = Object.entries(cell.nodes ?? {})
    .map(([backend, count]) => `${backend} ${count}`)
    .join(' + ');
  const heavy = cell.heavyElsewhere?.length ? `; ${cell.heavyElsewhere.length} heavy elsewhere` : '';
  const reference = cell.reference === 'PyTorch' ? '' : ` (to ${cell.reference === 'wasm' ? 'wasm' : 'nothing'})`;
  return `${cell.outcome}, ${cell.maxDifference!.toExponential(1)}${reference}; ${nodes}${heavy}`;
}

function totals(report: Report, backend: Backend): string {
  const cells = report.graphs.map((graph) => graph.cells[backend]).filter((cell) => cell !== undefined);
  const count = (outcome: Cell['outcome']): number => cells.filter((cell) => cell.outcome === outcome).length;
  const whole = cells.filter((cell) => cell.outcome === 'agrees' && cell.heavyElsewhere?.length === 0).length;
  const others = (['differs', 'refused', 'failed'] as const)
    .map((outcome) => `${count(outcome)} ${outcome}`)
    .join(', ');
  return `- ${backend}: ${count('agrees')} of ${cells.length} agree (${whole} of them with every heavy node there), ${others}`;
}

export function markdown(report: Report): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return `${[
    '# ONNX graphs by backend',
    '',
    'Every graph of the reference models, the parts of encoder-decoder and multimodal ones too, through the browser agent',
    'alone. Written by `browser_agent/harness/table.ts`: `node harness/run.mjs table --markdown FILE`.',
    '',
    `onnxruntime-web ${report.onnxruntime} in ${report.browser}; webgpu is a software adapter (SwiftShader).`,
    'The models are small and randomly initialised: this shows that the numbers are right, not that the models are good.',
    'Each cell: whether the outputs agree with PyTorch within the stated tolerance (with wasm where PyTorch gave none), the',
    'largest difference, and the nodes by where they really ran. Nodes on wasm beside another backend are mostly arithmetic',
    'on shapes; "heavy elsewhere" counts matrix products, convolutions, attentions and norms that did not get onto the',
    'backend, so such a run does not count as one of that backend.',
    '',
    ...report.backends.map((backend) => totals(report, backend)),
    '',
    row(['graph', 'task', ...report.backends]),
    row(['graph', 'task', ...report.backends].map(() => '---')),
    ...report.graphs.map(({ name, task, cells }) =>
      row([name, task, ...report.backends.map((backend) => summary(cells[backend]))]),
    ),
  ].join('\n')}\n`;
}
