// One answer of /v1/chat/completions, as it is made.
import { EventReader } from './events';

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface Question {
  model: string;
  backend: string; // empty: any
  messages: Message[];
  temperature: number;
  maxTokens: number;
  key: string; // empty: none
}

/** What the server tells of how it was computed. */
export interface Report {
  backend: string;
  worker: string;
  adapter: string;
  bits: number | null;
  fallback_from: string | null;
  timing: { queue_us: number; prefill_us: number; decode_us: number };
}

export interface Step {
  text: string;
  tokens: number;
  report?: Report;
  finish?: string;
}

interface Chunk {
  error?: { message: string };
  choices?: { delta: { content?: string | null }; token_ids?: number[]; finish_reason: string | null }[];
  shoal?: Report;
}

export function bodyOf(question: Question): object {
  return {
    model: question.model,
    messages: question.messages,
    temperature: question.temperature,
    max_tokens: question.maxTokens,
    stream: true,
    return_token_ids: true,
    ...(question.backend === '' ? {} : { shoal: { backend: question.backend } }),
  };
}

/** What one event adds; nothing for the end of the stream. Throws what the server says is wrong. */
export function stepOf(data: string): Step | undefined {
  if (data === '[DONE]') return undefined;
  const chunk = JSON.parse(data) as Chunk;
  if (chunk.error !== undefined) throw new Error(chunk.error.message);
  const choice = chunk.choices?.[0];
  return {
    text: choice?.delta.content ?? '',
    tokens: choice?.token_ids?.length ?? 0,
    ...(chunk.shoal === undefined ? {} : { report: chunk.shoal }),
    ...(choice?.finish_reason == null ? {} : { finish: choice.finish_reason }),
  };
}

export function headersOf(key: string): Record<string, string> {
  return key === '' ? {} : { Authorization: `Bearer ${key}` };
}

/** Throws with the server's words where it refuses, and an AbortError where `signal` says stop. */
export async function* ask(question: Question, signal: AbortSignal): AsyncGenerator<Step> {
  const response = await fetch('/v1/chat/completions', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headersOf(question.key) },
    body: JSON.stringify(bodyOf(question)),
    signal,
  });
  if (!response.ok || response.body === null) {
    const text = await response.text();
    let message = text;
    try {
      message = (JSON.parse(text) as Chunk).error?.message ?? text;
    } catch {
      // A proxy's page, as it is.
    }
    throw new Error(message || `the server answered ${response.status}`);
  }
  const events = new EventReader();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const data of events.read(value)) {
      const step = stepOf(data);
      if (step !== undefined) yield step;
    }
  }
}

/** "41 tokens, 35.2 tokens/s, headless_shell/0, wasm, 4 bits" */
export function summary(tokens: number, seconds: number, report?: Report): string {
  const decode = report === undefined ? seconds : report.timing.decode_us / 1e6;
  const steps = report === undefined ? tokens : tokens - 1;
  const parts = [`${tokens} ${tokens === 1 ? 'token' : 'tokens'}`];
  if (steps > 0 && decode > 0) parts.push(`${(steps / decode).toFixed(1)} tokens/s`);
  if (report !== undefined) {
    parts.push(`${report.worker}`, `${report.backend}${report.adapter === '' ? '' : ` (${report.adapter})`}`);
    if (report.bits !== null) parts.push(`${report.bits} bits`);
    if (report.fallback_from !== null) parts.push(`instead of ${report.fallback_from}`);
  }
  return parts.join(' \u00b7 ');
}
