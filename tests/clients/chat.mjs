// What OpenAI's own client for Node.js makes of a chat model: node chat.mjs BASE_URL MODEL. Prints one JSON object, which the
// test reads.
import OpenAI from 'openai';

const [baseURL, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0 });
const messages = [{ role: 'user', content: 'Name three primary colors.' }];
const asked = { model, messages, temperature: 0, max_tokens: 40 };

// Which of the client's classes an error becomes, and what it carries.
async function failure(act) {
  try {
    await act();
    return { kind: 'none' };
  } catch (error) {
    const { status, code, param } = error;
    return { kind: error.constructor.name, status, code, param };
  }
}

const whole = await client.chat.completions.create(asked);
let streamed = '';
let usage;
let finish;
const stream = await client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } });
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta.content ?? '';
  finish = chunk.choices[0]?.finish_reason ?? finish;
  usage = chunk.usage ?? usage;
}

const question = { model, input: messages, temperature: 0, max_output_tokens: 40 };
const response = await client.responses.create(question);
let responseStreamed = '';
for await (const event of await client.responses.create({ ...question, stream: true }))
  if (event.type === 'response.output_text.delta') responseStreamed += event.delta;

async function aborted() {
  const controller = new AbortController();
  const options = { ...asked, max_tokens: 2000, ignore_eos: true, stream: true };
  const endless = await client.chat.completions.create(options, { signal: controller.signal });
  try {
    let chunks = 0;
    for await (const _ of endless) if (++chunks === 3) controller.abort();
    return controller.signal.aborted ? 'APIUserAbortError' : 'none';
  } catch (error) {
    return error.constructor.name;
  }
}

console.log(
  JSON.stringify({
    whole: whole.choices[0].message.content,
    streamed,
    usage,
    finish,
    response: response.output_text,
    response_streamed: responseStreamed,
    failures: {
      unknown_model: await failure(() => client.chat.completions.create({ ...asked, model: 'nobody' })),
      too_long: await failure(() =>
        client.chat.completions.create({ ...asked, messages: [{ role: 'user', content: 'word '.repeat(9000) }] }),
      ),
      too_hot: await failure(() => client.chat.completions.create({ ...asked, temperature: 3 })),
    },
    aborted: await aborted(),
  }),
);
