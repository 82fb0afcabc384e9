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
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
