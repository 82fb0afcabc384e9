// What OpenAI's own client for Node.js makes of a server: node openai.mjs BASE_URL KEY MODEL, or BASE_URL KEY of a key
// whose requests are used up. Prints one JSON object, which the test reads.
import OpenAI from 'openai';

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });

// Which of the client's classes an error becomes, and what it carries.
async function failure(act) {
  try {
    await act();
    return { kind: 'none' };
  } catch (error) {
    const { status, code, type, param } = error;
    return { kind: error.constructor.name, status, code, type, param, is_openai: error instanceof OpenAI.APIError };
  }
}

async function everything() {
  const names = [];
  for await (const one of client.models.list()) names.push(one.id);
  const first = await client.embeddings.create({ model, input: ['a shoal', 'a school of fish'] });
  const floats = await client.embeddings.create({ model, input: 'a shoal', encoding_format: 'float' });
  const vector = first.data[0].embedding;
  return {
    names,
    retrieved: (await client.models.retrieve(model)).id,
    count: first.data.length,
    width: vector.length,
    difference: Math.max(...vector.map((value, index) => Math.abs(value - floats.data[0].embedding[index]))),
    tokens: first.usage.total_tokens,
    failures: {
      unknown_model: await failure(() => client.embeddings.create({ model: 'nobody', input: 'x' })),
      unknown_name: await failure(() => client.models.retrieve('nobody')),
      empty: await failure(() => client.embeddings.create({ model, input: [] })),
      wrong_dimensions: await failure(() => client.embeddings.create({ model, input: 'x', dimensions: 7 })),
      no_such_route: await failure(() => client.moderations.create({ input: 'x' })),
    },
  };
}

// Without retries the error, with one as many requests as the client makes, and how long it waits between them.
async function overloaded() {
  const times = [];
  const counted = new OpenAI({
    baseURL,
    apiKey,
    maxRetries: 1,
    fetch: (...request) => {
      times.push(Date.now());
      return fetch(...request);
    },
  });
  const once = await failure(() => client.models.list());
  const again = await failure(() => counted.models.list());
  return { once, again, requests: times.length, waited_ms: times[1] - times[0] };
}

console.log(JSON.stringify(await (model ? everything() : overloaded())));
