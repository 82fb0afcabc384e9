import { create } from '../../../browser_agent/node_modules/@bufbuild/protobuf/dist/esm';
import type { WorkMessage } from '../../../browser_agent/src/engine/messages';
import { LoadSchema } from '../../../browser_agent/src/generated/shoal/agent/v1/agent_pb';
import { mayJoin } from '../../../browser_agent/src/link/together';

const writes = (generates: string): WorkMessage => ({ kind: 'run', workId: 1n, frames: [], generates });
const run: WorkMessage = { kind: 'run', workId: 1n, frames: [] };
const load: WorkMessage = { kind: 'load', workId: 1n, load: create(LoadSchema, { instance: 'other' }) };
const unload = (instance: string): WorkMessage => ({ kind: 'unload', workId: 1n, instance });
const joins = (next: WorkMessage, ...running: WorkMessage[]): boolean =>
  mayJoin(next, running, (instance) => (instance === 'chat' ? 3 : 1));

test('runs that generate share the places of their instance', () => {
  expect(joins(writes('chat'))).toBe(true);
  expect(joins(writes('chat'), writes('chat'), writes('chat'))).toBe(true);
  expect(joins(writes('chat'), writes('chat'), writes('chat'), writes('chat'))).toBe(false);
  expect(joins(writes('small'), writes('chat'), writes('chat'), writes('chat'))).toBe(true);
  expect(joins(writes('small'), writes('small'))).toBe(false);
});

test('beside them there is room for one other work, and for no unload of what they use', () => {
  expect(joins(run, writes('chat'), writes('chat'))).toBe(true);
  expect(joins(run, writes('chat'), run)).toBe(false);
  expect(joins(run, load)).toBe(false);
  expect(joins(load, writes('chat'))).toBe(true);
  expect(joins(writes('chat'), run)).toBe(true);
  expect(joins(writes('chat'), load)).toBe(true);
  expect(joins(writes('other'), load)).toBe(false);
  expect(joins(unload('chat'), writes('chat'))).toBe(false);
  expect(joins(unload('small'), writes('chat'))).toBe(true);
});
