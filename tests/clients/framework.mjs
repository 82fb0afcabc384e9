// What a framework that knows nothing of this server makes of it, by its provider for OpenAI-compatible servers: node framework.mjs
// BASE_URL MODEL. Prints one JSON object, which the test reads.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, jsonSchema, Output, streamText, tool } from 'ai';

const [baseURL, name] = process.argv.slice(2);
const provider = createOpenAICompatible({ name: 'shoal', baseURL, includeUsage: true, supportsStructuredOutputs: true });
const model = provider(name);
const asked = { model, temperature: 0, maxRetries: 0, maxOutputTokens: 60 };

async function read(answer) {
  let text = '';
  let parts = 0;
  for await (const part of answer.textStream) {
    text += part;
    parts++;
  }
  return { text, parts };
}

const prompt = 'Name three primary colors.';
const whole = await generateText({ ...asked, prompt });
const stream = streamText({ ...asked, prompt });
const streamed = { ...(await read(stream)), finish: await stream.finishReason, usage: await stream.usage };
const many = await Promise.all(Array.from({ length: 6 }, () => read(streamText({ ...asked, prompt }))));

const fish = jsonSchema({
  type: 'object',
  properties: { name: { type: 'string', pattern: '^[a-z]{1,8}$' }, fins: { type: 'integer', minimum: 1, maximum: 9 } },
  required: ['name', 'fins'],
  additionalProperties: false,
});
const object = streamText({ ...asked, prompt: 'Describe a fish.', output: Output.object({ schema: fish }) });
let partials = 0;
for await (const _ of object.partialOutputStream) partials++;

const weather = tool({
  description: 'The weather of a city',
  inputSchema: jsonSchema({
    type: 'object',
    properties: { city: { enum: ['Oslo', 'Rome'] } },
    required: ['city'],
    additionalProperties: false,
  }),
  execute: async ({ city }) => `It rains in ${city}.`,
});
const called = await generateText({ ...asked, prompt: 'How is Rome?', tools: { weather }, toolChoice: { type: 'tool', toolName: 'weather' } });

async function failure(options) {
  try {
    await generateText({ ...asked, prompt, ...options });
    return { kind: 'none' };
  } catch (error) {
    return { kind: APICallError.isInstance(error) ? 'APICallError' : error.name, status: error.statusCode, message: error.message };
  }
}

async function aborted() {
  const controller = new AbortController();
  let chunks = 0;
  const options = { ...asked, prompt, maxOutputTokens: 2000, abortSignal: controller.signal };
  for await (const part of streamText(options).fullStream) {
    if (part.type === 'text-delta' && ++chunks === 3) controller.abort();
    if (part.type === 'abort') return true;
  }
  return false;
}

console.log(
  JSON.stringify({
    whole: { text: whole.text, finish: whole.finishReason, usage: whole.usage },
    streamed,
    many: many.map(({ text }) => text),
    object: await object.output,
    partials,
    calls: called.toolCalls.map(({ toolName, input }) => [toolName, input]),
    results: called.toolResults.map(({ output }) => output),
    unknown_model: await failure({ model: provider('nobody') }),
    too_hot: await failure({ temperature: 9 }),
    aborted: await aborted(),
  }),
);
