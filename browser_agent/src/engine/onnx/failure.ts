// onnxruntime's and the browser's words for what went wrong, mapped to the wire's closed codes. Pure.
// The original text always travels whole as `detail`.
import { AgentError, Code, describe } from '../../protocol/outcome';

export type Phase = 'load' | 'run';

interface Rule {
  readonly pattern: RegExp;
  readonly code: (phase: Phase) => Code;
}

const always = (code: Code) => (): Code => code;

// First match wins. ERROR_CODE is OrtErrorCode: 2 invalid argument, 7 invalid protobuf, 9 not implemented, 10 invalid graph.
const RULES: readonly Rule[] = [
  {
    pattern: /device (was|is) lost|device lost|DEVICE_LOST|GPUDevice.*lost|MLContext.*lost|context (was|is) lost/i,
    code: always(Code.DEVICE_LOST),
  },
  {
    pattern:
      /out of memory|bad_alloc|allocation failed|failed to allocate|Failed to allocate|Invalid (typed )?array (buffer )?length|memory\.grow|exceeds? (the )?(max|limit)|larger than.*(limit|max)|GPUOutOfMemory|OOM\b|SafeIntOnOverflow/i,
    code: always(Code.RESOURCE_LIMIT),
  },
  {
    pattern:
      /Could not find an implementation for|is not a registered function\/op|No Op registered for|NOT_IMPLEMENTED|ERROR_CODE: 9\b|operator .* (is )?not supported/i,
    code: always(Code.OPERATOR_NOT_SUPPORTED),
  },
  {
    pattern:
      /no available backend found|(WebGPU|WebNN) is not supported|Failed to get GPU adapter|JSPI is not supported|SIMD is not supported|createContext|Unable to create context/i,
    code: always(Code.BACKEND_UNAVAILABLE),
  },
  {
    pattern: /bfloat16|Unsupported ONNX data type|unsupported data type|not supported.*data ?type/i,
    code: always(Code.PRECISION_NOT_SUPPORTED),
  },
  {
    pattern:
      /ERROR_CODE: 2\b|INVALID_ARGUMENT|missing in 'feeds'|invalid data location|Got invalid dimensions|Unexpected input data type/i,
    code: (phase) => (phase === 'run' ? Code.INVALID_ARGUMENT : Code.GRAPH_BUILDING_ERROR),
  },
  {
    pattern: /ERROR_CODE: (3|4|7|10|11)\b|Protobuf parsing failed|INVALID_PROTOBUF|INVALID_GRAPH/i,
    code: (phase) => (phase === 'load' ? Code.GRAPH_BUILDING_ERROR : Code.INTERNAL),
  },
];

const OPERATOR = [
  /Could not find an implementation for (?:\S+ )?([\w.]+)\(\d+\)/,
  /(?:Fatal error: )?([\w.:]+)\(-?\d+\) is not a registered function\/op/,
  /No Op registered for ([\w.]+)/,
  /[Oo]perator(?: type)?:? \[?([A-Z]\w+)\]?/,
  /node of type:? ?'?(\w+)/,
  /running (\w+) node/,
];

export function operatorIn(text: string): string {
  for (const pattern of OPERATOR) {
    const found = pattern.exec(text);
    if (found !== null) return found[1]!.replace(/^.*:/, '');
  }
  return '';
}

// `log` holds onnxruntime's own last warnings and errors: the exception alone often says less.
export function failureOf(thrown: unknown, phase: Phase, log: readonly string[] = []): AgentError {
  if (thrown instanceof AgentError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const detail = [describe(thrown), ...log].join('\n');
  // A C++ exception that nobody caught arrives as its bare address; onnxruntime catches all but failed allocations.
  if (typeof thrown === 'number') {
    return new AgentError(
      Code.RESOURCE_LIMIT,
      `the engine ran out of memory (uncaught C++ exception ${thrown})`,
      detail,
    );
  }
  const rule =
    RULES.find(({ pattern }) => pattern.test(message)) ?? RULES.find(({ pattern }) => pattern.test(log.join('\n')));
  const code = rule?.code(phase) ?? (phase === 'load' ? Code.GRAPH_BUILDING_ERROR : Code.INTERNAL);
  return new AgentError(
    code,
    message,
    detail,
    code === Code.OPERATOR_NOT_SUPPORTED ? operatorIn(message) || operatorIn(detail) : '',
  );
}

// After these the wasm instance is in no defined state and must not be used again.
export function isFatal(thrown: unknown): boolean {
  if (thrown instanceof AgentError) return thrown.code === Code.DEVICE_LOST;
  return (
    typeof thrown === 'number' ||
    thrown instanceof WebAssembly.RuntimeError ||
    (thrown instanceof RangeError && /call stack/i.test(thrown.message)) ||
    (thrown instanceof Error && /Aborted\(|device (was|is) lost|device lost/i.test(thrown.message))
  );
}
