// The texts are onnxruntime-web 1.30's and Chromium's own.
import { failureOf, isFatal } from '../../../browser_agent/src/engine/onnx/failure';
import { AgentError, Code } from '../../../browser_agent/src/protocol/outcome';

const cases: [string, 'load' | 'run', string, Code, string][] = [
  [
    'protobuf',
    'load',
    "Can't create a session. ERROR_CODE: 7, ERROR_MESSAGE: Failed to load model because protobuf parsing failed.",
    Code.GRAPH_BUILDING_ERROR,
    '',
  ],
  [
    'no kernel',
    'load',
    "Can't create a session. ERROR_CODE: 9, ERROR_MESSAGE: Could not find an implementation for ConvInteger(10) node with name '/conv'",
    Code.OPERATOR_NOT_SUPPORTED,
    'ConvInteger',
  ],
  [
    'unknown operator',
    'load',
    "Can't create a session. ERROR_CODE: 1, ERROR_MESSAGE: Fatal error: com.example:Fishify(-1) is not a registered function/op",
    Code.OPERATOR_NOT_SUPPORTED,
    'Fishify',
  ],
  [
    'no adapter',
    'load',
    'no available backend found. ERR: [webgpu] Error: Failed to get GPU adapter. You may need to enable flag "--enable-unsafe-webgpu" if you are using Chrome.',
    Code.BACKEND_UNAVAILABLE,
    '',
  ],
  [
    'no WebNN',
    'load',
    'no available backend found. ERR: [webnn] Error: WebNN is not supported in current environment',
    Code.BACKEND_UNAVAILABLE,
    '',
  ],
  [
    'no memory',
    'run',
    'failed to call OrtRun(). ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc',
    Code.RESOURCE_LIMIT,
    '',
  ],
  [
    'too large',
    'load',
    "Can't create a session. failed to allocate a buffer of size 4294967295.",
    Code.RESOURCE_LIMIT,
    '',
  ],
  [
    'wrong shape',
    'run',
    'failed to call OrtRun(). ERROR_CODE: 2, ERROR_MESSAGE: Got invalid dimensions for input: x for the following indices\n index: 0 Got: 3 Expected: 2',
    Code.INVALID_ARGUMENT,
    '',
  ],
  ['missing input', 'run', "input 'attention_mask' is missing in 'feeds'.", Code.INVALID_ARGUMENT, ''],
  [
    'lost',
    'run',
    'failed to call OrtRun(). ERROR_CODE: 1, ERROR_MESSAGE: WebGPU device lost (1): A valid external Instance reference no longer exists.',
    Code.DEVICE_LOST,
    '',
  ],
  ['anything at load', 'load', 'the graph is odd', Code.GRAPH_BUILDING_ERROR, ''],
  ['anything at run', 'run', 'the weather is odd', Code.INTERNAL, ''],
];

test.each(cases)('%s', (_, phase, message, code, operator) => {
  const error = failureOf(new Error(message), phase, ['a line of the log']);
  expect([Code[error.code], error.operator]).toEqual([Code[code], operator]);
  expect(error.message).toBe(message);
  expect(error.detail).toContain('a line of the log');
});

test('a bare number is an uncaught C++ exception', () => {
  expect(failureOf(12345678, 'run')).toMatchObject({
    code: Code.RESOURCE_LIMIT,
  });
  expect(isFatal(12345678)).toBe(true);
});

test('what leaves the engine unusable', () => {
  expect(isFatal(new WebAssembly.RuntimeError('unreachable'))).toBe(true);
  expect(isFatal(new Error('Aborted(). Build with -sASSERTIONS for more info.'))).toBe(true);
  expect(isFatal(new AgentError(Code.DEVICE_LOST, 'gone'))).toBe(true);
  expect(isFatal(new Error('failed to call OrtRun(). ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc'))).toBe(false);
  expect(isFatal(new AgentError(Code.INVALID_ARGUMENT, 'no'))).toBe(false);
});

test('our own errors pass unchanged', () => {
  const own = new AgentError(Code.NOT_FOUND, 'nobody');
  expect(failureOf(own, 'run')).toBe(own);
});
