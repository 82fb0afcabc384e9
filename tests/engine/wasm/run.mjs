// Runs a WASI program of the build in Node: run.mjs PROGRAM.wasm [ARGUMENT...]. Its exit status is the program's. Of the
// file system it sees the folder that GTEST_OUTPUT=xml:FOLDER/ names, and nothing else.
import { readFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { setFlagsFromString } from "node:v8";

// Node 20 has relaxed SIMD behind a flag; later ones have it without.
setFlagsFromString("--experimental-wasm-relaxed-simd");
process.removeAllListeners("warning");
const { WASI } = await import("node:wasi");

const [program, ...rest] = process.argv.slice(2);
const results = /^xml:(.+)\/$/.exec(process.env.GTEST_OUTPUT ?? "")?.[1];
const wasi = new WASI({
  version: "preview1",
  args: [path.basename(program), ...rest],
  env: process.env,
  preopens: results ? { [results]: results } : {},
});
const module = await WebAssembly.compile(await readFile(program));
// As JavaScript functions: where compiled code calls Node 20's own ones straight, programs that often ask for the time
// crash at their end.
const imports = Object.fromEntries(
  Object.entries(wasi.getImportObject().wasi_snapshot_preview1).map(([name, call]) => [name, (...given) => call(...given)]),
);
const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: imports });
process.exitCode = wasi.start(instance);
