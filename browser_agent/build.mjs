// Builds dist/: the protocol's code from ../proto, the bundles, onnxruntime-web's own files, the plan engine's WASM as CMake built
// it (target engine_wasm; in build/release, or in the folder SHOAL_ENGINE_WASM) and build.json.
// The build hash names the sources, so that a page can say which agent it is without hashing its own bundle.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const dist = join(here, 'dist');
const engineFolder = process.env.SHOAL_ENGINE_WASM ?? join(root, 'build/release');
const engineFiles = ['simd128', 'relaxed_simd', 'threads_simd128', 'threads_relaxed_simd'].map(
  (variant) => `engine_${variant}.wasm`,
);

export function generateProtocol() {
  const out = join(here, 'src/generated');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  execFileSync(
    process.env.PROTOC ?? 'protoc',
    [
      `--plugin=protoc-gen-es=${join(here, 'node_modules/.bin/protoc-gen-es')}`,
      `--es_out=${out}`,
      '--es_opt=target=ts',
      `--proto_path=${join(root, 'proto')}`,
      'shoal/core/v1/code.proto',
      'shoal/agent/v1/agent.proto',
    ],
    { stdio: 'inherit' },
  );
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function sourceHash() {
  const hash = createHash('sha256');
  const files = [
    ...filesBelow(join(here, 'src')),
    ...filesBelow(join(root, 'shaders')),
    ...filesBelow(join(root, 'proto/shoal/agent')),
    join(here, 'package-lock.json'),
    join(here, 'build.mjs'),
  ];
  for (const file of files) hash.update(relative(root, file)).update('\0').update(readFileSync(file)).update('\0');
  for (const file of engineFiles)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(engineFolder, file)))
      .update('\0');
  return hash.digest('hex').slice(0, 16);
}

// Plain wasm for the wasm backend; jspi where the browser suspends wasm, else asyncify, for webgpu and webnn.
const ortFiles = ['', '.jspi', '.asyncify'].flatMap((kind) => [
  `ort-wasm-simd-threaded${kind}.mjs`,
  `ort-wasm-simd-threaded${kind}.wasm`,
]);

// embind writes its method callers as source text, which a page without 'unsafe-eval' refuses (WebNN then aborts). The same
// caller as a closure: `fields` holds the argument readers in order and what the text would have named.
const invoker = `
function shoalInvoker(fields, kind) {
  const readers = Object.keys(fields).filter((name) => name.startsWith('argFromPtr')).map((name) => fields[name]);
  const call = [
    (handle, name, values) => { const target = fields.toValue(handle); return target(...values); },
    (handle, name, values) => fields.toValue(handle)[fields.getStringOrSymbol(name)](...values),
    (handle, name, values) => new (fields.toValue(handle))(...values),
    (handle, name, values) => values.at(-1),
  ][kind];
  return (handle, name, destructors, args) => {
    const result = call(handle, name, readers.map((read, index) => read(args + 8 * index)));
    return fields.toReturnWire === undefined ? undefined : fields.emval_returnValue(fields.toReturnWire, destructors, result);
  };
}
`;
const evaluated = '(new Function(Object.keys(k),h))(...Object.values(k))';

function copyOrtFile(file) {
  const from = join(here, 'node_modules/onnxruntime-web/dist', file);
  const to = join(dist, 'ort', file);
  if (!file.endsWith('.mjs')) return copyFileSync(from, to);
  let text = readFileSync(from, 'utf8');
  if (text.includes(evaluated)) text = text.replace(evaluated, 'shoalInvoker(k,c)') + invoker;
  if (/new Function\(|\beval\(/.test(text))
    throw new Error(`${file} evaluates text in a way that build.mjs does not know`);
  writeFileSync(to, text);
}

export async function buildAgent() {
  const missing = engineFiles.filter((file) => !existsSync(join(engineFolder, file)));
  if (missing.length > 0)
    throw new Error(
      `${missing.join(' and ')} not in ${engineFolder}: cmake --preset release && ninja -C build/release engine_wasm`,
    );
  generateProtocol();
  const hash = sourceHash();
  rmSync(dist, { recursive: true, force: true });
  for (const folder of ['ort', 'plan']) mkdirSync(join(dist, folder), { recursive: true });
  await build({
    absWorkingDir: here,
    entryPoints: {
      page: 'src/page/page.ts',
      join: 'src/page/join.ts',
      playground: 'src/playground/playground.ts',
      link: 'src/link/link.ts',
      engine: 'src/engine/worker.ts',
      planThread: 'src/engine/plan/planThread.ts',
    },
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    legalComments: 'eof',
    conditions: ['onnxruntime-web-use-extern-wasm'],
    define: { __SHOAL_BUILD__: JSON.stringify(hash) },
    loader: { '.wgsl': 'text' },
    chunkNames: 'chunk-[hash]',
    logLevel: 'warning',
  });
  for (const file of ['index.html', 'page.css', 'join.html', 'join.css'])
    copyFileSync(join(here, 'src/page', file), join(dist, file));
  for (const file of ['playground.html', 'playground.css'])
    copyFileSync(join(here, 'src/playground', file), join(dist, file));
  for (const file of ortFiles) copyOrtFile(file);
  for (const file of engineFiles) copyFileSync(join(engineFolder, file), join(dist, 'plan', file));
  writeFileSync(join(dist, 'build.json'), JSON.stringify({ build: hash }) + '\n');
  return hash;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(`browser agent ${await buildAgent()} in ${relative(process.cwd(), dist) || dist}`);
