// The playground: a chat with the server's models, and which browser answered.
import { ask, headersOf, summary, type Message, type Report } from './chat';

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as T;
}

const model = element<HTMLSelectElement>('model');
const backend = element<HTMLSelectElement>('backend');
const system = element<HTMLTextAreaElement>('system');
const temperature = element<HTMLInputElement>('temperature');
const maxTokens = element<HTMLInputElement>('maxTokens');
const key = element<HTMLInputElement>('key');
const talk = element<HTMLElement>('talk');
const message = element<HTMLTextAreaElement>('message');
const send = element<HTMLButtonElement>('send');
const state = element<HTMLParagraphElement>('state');

let said: Message[] = [];
let lastWords = '';
let running: AbortController | undefined;

interface Listed {
  data: { id: string; shoal?: { kind: string } }[];
}

async function listModels(): Promise<void> {
  const response = await fetch('/v1/models', { headers: headersOf(key.value) });
  if (!response.ok) {
    state.textContent =
      response.status === 401
        ? 'This server asks for an API key: Settings.'
        : `The server answered ${response.status}.`;
    return;
  }
  const chats = ((await response.json()) as Listed).data.filter((one) => one.shoal?.kind === 'chat');
  const chosen = model.value;
  model.replaceChildren(...chats.map((one) => new Option(one.id, one.id, false, one.id === chosen)));
  state.textContent = chats.length === 0 ? 'This server has no chat model: shoal import makes one.' : '';
}

function add(role: Message['role'], text: string): { words: HTMLElement; note: HTMLElement; article: HTMLElement } {
  const article = document.createElement('article');
  article.className = role;
  article.setAttribute('aria-label', role === 'user' ? 'You' : 'Answer');
  const words = document.createElement('p');
  words.textContent = text;
  const note = document.createElement('footer');
  article.append(words, note);
  talk.append(article);
  talk.scrollTop = talk.scrollHeight;
  return { words, note, article };
}

function setRunning(controller: AbortController | undefined): void {
  running = controller;
  send.textContent = controller === undefined ? 'Send' : 'Stop';
  talk.setAttribute('aria-busy', String(controller !== undefined));
}

async function answer(words: string): Promise<void> {
  const controller = new AbortController();
  setRunning(controller);
  state.textContent = '';
  said.push({ role: 'user', content: words });
  const conversation = said;
  add('user', words);
  const shown = add('assistant', '');
  let text = '';
  let tokens = 0;
  let report: Report | undefined;
  let firstAt: number | undefined;
  const instructions: Message[] = system.value.trim() === '' ? [] : [{ role: 'system', content: system.value }];
  try {
    const question = {
      model: model.value,
      backend: backend.value,
      messages: [...instructions, ...conversation],
      temperature: temperature.valueAsNumber,
      maxTokens: maxTokens.valueAsNumber,
      key: key.value,
    };
    for await (const step of ask(question, controller.signal)) {
      text += step.text;
      tokens += step.tokens;
      report = step.report ?? report;
      if (tokens > 0) firstAt ??= performance.now();
      const isAtEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 40;
      shown.words.textContent = text;
      const seconds = firstAt === undefined ? 0 : (performance.now() - firstAt) / 1000;
      shown.note.textContent =
        summary(tokens, seconds, report) + (step.finish === 'length' ? ' \u00b7 cut at the limit' : '');
      if (isAtEnd) talk.scrollTop = talk.scrollHeight;
    }
  } catch (error) {
    if (controller.signal.aborted) {
      shown.note.textContent += ' \u00b7 stopped';
    } else {
      shown.article.classList.add('failed');
      const complaint = document.createElement('p');
      complaint.className = 'error';
      complaint.textContent = error instanceof Error ? error.message : String(error);
      shown.words.after(complaint);
    }
  } finally {
    // A conversation that has been left is nobody's.
    if (conversation === said) {
      if (text === '') said.pop();
      else said.push({ role: 'assistant', content: text });
    }
    if (running === controller) setRunning(undefined);
  }
}

function submit(): void {
  const words = message.value.trim();
  if (running !== undefined) return running.abort();
  if (words === '' || model.value === '') return;
  lastWords = words;
  message.value = '';
  void answer(words);
}

function begin(): void {
  running?.abort();
  setRunning(undefined);
  said = [];
  talk.querySelectorAll('article').forEach((one) => one.remove());
  message.focus();
}

element<HTMLFormElement>('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  submit();
});
element<HTMLFormElement>('choices').addEventListener('submit', (event) => event.preventDefault());
message.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (running === undefined) submit();
  } else if (event.key === 'ArrowUp' && message.value === '' && lastWords !== '') {
    event.preventDefault();
    message.value = lastWords;
  }
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') running?.abort();
  if (event.altKey && event.code === 'KeyN') {
    event.preventDefault();
    begin();
  }
});
element<HTMLButtonElement>('fresh').addEventListener('click', begin);
key.addEventListener('change', () => void listModels());
void listModels();
