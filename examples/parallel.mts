// Several inferences as one call: each runs on the backend that it names, with a priority of its own, at the same time, and fails alone.
//
//     node examples/parallel.mts [http://127.0.0.1:8000]        (Node 22.18 and newer run TypeScript as it is; older ones take what esbuild makes of it)

interface Tensor {
  name: string;
  datatype: string;
  shape: number[];
  data: number[];
}
interface Answer {
  outputs: Tensor[];
  parameters: { shoal_backend: string; shoal_worker: string; shoal_compute_us: number };
}
interface Failure {
  error: string;
  code: string;
  status: number;
}

const model = 'all-minilm-l6-v2';
const tokens = { input_ids: [101, 7592, 2088, 102], attention_mask: [1, 1, 1, 1], token_type_ids: [0, 0, 0, 0] };

type Priority = 'high' | 'medium' | 'low' | number;

interface How {
  shoal_backend?: string;
  shoal_family?: 'text' | 'vision' | 'audio' | 'multimodal';
}

function request(name: string, priority: Priority, how: How) {
  const inputs = Object.entries(tokens).map(([tensor, data]) => ({
    name: tensor,
    datatype: 'INT64',
    shape: [1, data.length],
    data,
  }));
  // Joined with requests of others to at most so many rows.
  const parameters = { priority, shoal_max_batch_size: 8, ...how };
  return { model_name: name, parameters, inputs };
}

const server = process.argv[2] ?? 'http://127.0.0.1:8000';
const requests = [
  request(model, 'high', { shoal_backend: 'wasm' }),
  request(model, 'medium', { shoal_backend: 'webgpu' }),
  request(model, 'medium', { shoal_family: 'text' }), // whatever such models are expected to run fast on
  request('a model that is not there', 'low', {}),
];
const answer = await fetch(`${server}/v2/parallel`, { method: 'POST', body: JSON.stringify({ requests }) });
const { responses } = (await answer.json()) as { responses: (Answer | Failure)[] };
for (const response of responses) {
  if ('error' in response) {
    console.log(response.code, response.error);
  } else {
    const how = response.parameters;
    console.log(response.outputs[0]?.shape, how.shoal_backend, how.shoal_worker, `${how.shoal_compute_us} us`);
  }
}
