// Runs one of the harness's TypeScript scripts: node harness/run.mjs <script> [arguments]. Bundled by esbuild, in memory.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const script = process.argv[2];
const result = await build({
  entryPoints: [join(here, `${script}.ts`)],
  bundle: true,
  platform: 'node',
  format: 'esm',
  write: false,
  packages: 'external',
  logLevel: 'warning',
});
const folder = join(here, '../node_modules/.cache/harness');
mkdirSync(folder, { recursive: true });
const file = join(folder, `${script}.mjs`);
writeFileSync(file, result.outputFiles[0].contents);
process.argv.splice(1, 2, file);
await import(pathToFileURL(file).href);
