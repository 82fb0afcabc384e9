#!/usr/bin/env bash
# Puts headless_shell (a headless Chromium whose WebNN works) into $SHOAL_HOME/tools/headless_shell/.
# Source: the npm package pinned by scripts/headless_shell/package-lock.json; npm checks its integrity hash.
# Up to date when the stamp equals the lock file's hash; the folder is replaced as a whole, so a broken run leaves the old one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/headless_shell"
home=${SHOAL_HOME:-$(cd ../.. && pwd)/.shoal}
target=$home/tools/headless_shell
want=$(cat package-lock.json unpack.mjs headless_shell.sh | sha256sum | cut -d' ' -f1)
if [[ -x $target/headless_shell && $(cat "$target/.stamp" 2>/dev/null) == "$want" ]]; then exit 0; fi

mkdir -p "$home/tools"
work=$(mktemp -d "$home/tools/.headless_shell.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp package.json package-lock.json .npmrc unpack.mjs "$work/"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
mkdir "$work/out"
node "$work/unpack.mjs" "$work/node_modules/@sparticuz/chromium/bin" "$work/out"
"$work/out/headless_shell" --version
install -m 755 headless_shell.sh "$work/out/headless_shell.sh"
chmod 755 "$work/out"
echo "$want" >"$work/out/.stamp"
rm -rf "$target"
mv "$work/out" "$target"
