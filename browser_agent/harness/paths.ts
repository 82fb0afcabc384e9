// Where things are. The harness runs bundled or under vitest, so it goes by the working folder: browser_agent or the root.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

function findRoot(): string {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'proto/shoal/agent/v1/agent.proto'))) return folder;
    if (folder === dirname(folder)) throw new Error('run this inside the repository');
  }
}

export const repositoryRoot = findRoot();
export const dist = join(repositoryRoot, 'browser_agent/dist');
const given = process.env['SHOAL_FIXTURES'];
// Undefined when the fixtures are not here: tests then skip and say so.
export const fixtures = given !== undefined && existsSync(given) ? resolve(given) : undefined;
