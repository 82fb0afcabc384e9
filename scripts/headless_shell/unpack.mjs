// Unpacks the brotli files of @sparticuz/chromium: argv = source folder, target folder. Leaves the browser and SwiftShader.
// The package's other files (fonts, NSS for Amazon Linux) are not wanted: Debian's packages bring both.
import { spawnSync } from "node:child_process";
import { createReadStream, createWriteStream, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createBrotliDecompress } from "node:zlib";

const [source, target] = process.argv.slice(2);
const expand = (name, to, mode) =>
  pipeline(createReadStream(join(source, name)), createBrotliDecompress(), createWriteStream(to, { mode }));

await expand("chromium.br", join(target, "headless_shell"), 0o755);
const tar = join(target, "swiftshader.tar");
await expand("swiftshader.tar.br", tar, 0o644);
const done = spawnSync("tar", ["--no-same-owner", "-xf", tar, "-C", target], { stdio: "inherit" });
rmSync(tar);
if (done.status !== 0) throw new Error("tar could not read swiftshader.tar");
