// Runs a WASI program of the build in headless_shell:
//   node harness/run.mjs program PROGRAM.wasm [ARGUMENT...]
// Prints what it printed; its exit status is the program's.
import { runProgram } from './wasiProgram';

const { status, output } = await runProgram(process.argv[2]!, process.argv.slice(3));
process.stdout.write(output);
process.exitCode = status;
