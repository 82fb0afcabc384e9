import { describe, expect, it } from 'vitest';
import { bodyOf, stepOf, summary } from '../../../browser_agent/src/playground/chat';
import { EventReader } from '../../../browser_agent/src/playground/events';

describe('events', () => {
  it('come whole, however the bytes are cut', () => {
    const bytes = new TextEncoder().encode('data: {"a": "\u00e9"}\n\n: ping\n\nevent: x\ndata: [DONE]\n\ndata: rest');
    for (let size = 1; size <= bytes.length; ++size) {
      const reader = new EventReader();
      const told: string[] = [];
      for (let at = 0; at < bytes.length; at += size) told.push(...reader.read(bytes.subarray(at, at + size)));
      expect(told).toEqual(['{"a": "\u00e9"}', '[DONE]']);
    }
  });
});

describe('steps of an answer', () => {
  it('are text, tokens, and at the end who made them', () => {
    expect(stepOf('{"choices": [{"delta": {"content": "hi"}, "token_ids": [1, 2], "finish_reason": null}]}')).toEqual({
      text: 'hi',
      tokens: 2,
    });
    const last = stepOf('{"choices": [{"delta": {}, "finish_reason": "stop"}], "shoal": {"worker": "w/0"}}');
    expect(last).toMatchObject({ text: '', finish: 'stop', report: { worker: 'w/0' } });
    expect(stepOf('[DONE]')).toBeUndefined();
    expect(() => stepOf('{"error": {"message": "lost"}}')).toThrow('lost');
  });
});

describe('a question', () => {
  it('demands a backend only where one is chosen', () => {
    const question = { model: 'm', backend: '', messages: [], temperature: 0.5, maxTokens: 9, key: '' };
    expect(bodyOf(question)).not.toHaveProperty('shoal');
    expect(bodyOf({ ...question, backend: 'wasm' })).toMatchObject({ shoal: { backend: 'wasm' }, max_tokens: 9 });
  });
});

describe('the summary', () => {
  it('has the speed of decoding, the browser and the backend', () => {
    const report = {
      backend: 'wasm',
      worker: 'chromium/1',
      adapter: 'cpu',
      bits: 4,
      fallback_from: 'webgpu',
      timing: { queue_us: 0, prefill_us: 0, decode_us: 2_000_000 },
    };
    expect(summary(21, 9, report)).toBe(
      '21 tokens \u00b7 10.0 tokens/s \u00b7 chromium/1 \u00b7 wasm (cpu) \u00b7 4 bits \u00b7 instead of webgpu',
    );
    expect(summary(1, 0)).toBe('1 token');
    expect(summary(10, 2)).toBe('10 tokens \u00b7 5.0 tokens/s');
  });
});
