# shellcheck shell=bash
# Shared by run, test and the scripts beside this file: where things are, and one visible line per step.
# Sourced after `set -euo pipefail`. Everything a step prints goes to build/logs/<name>.log; its end is shown on failure.

# A setting that the caller's environment may override: SHOAL_HOME holds everything that is not source or build output.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export SHOAL_HOME=${SHOAL_HOME:-$root/.shoal}
logs=$root/build/logs
mkdir -p "$logs" "$SHOAL_HOME"
# What bootstrap puts under SHOAL_HOME comes after what the machine has.
export PATH=$PATH:$SHOAL_HOME/tools/node/bin

started_at=${started_at:-${EPOCHREALTIME/./}}  # inherited, so that one clock runs through all scripts of a run
export root logs started_at
elapsed() {
  local tenths=$(((${EPOCHREALTIME/./} - started_at) / 100000))
  printf '%d.%d' $((tenths / 10)) $((tenths % 10))
}
say() { printf '[%6ss] %s\n' "$(elapsed)" "$*"; }
die() {
  say "$*" >&2
  exit 1
}

# step NAME TITLE COMMAND...: runs the command; every 10 s its last line of output is shown, so that a long step is seen
# to move. Returns the command's status; on failure the log's end is printed.
step() {
  local title=$2 log=$logs/$1.log ticker status=0
  shift 2
  say "$title"
  (
    while sleep 10 >/dev/null 2>&1; do
      last=$(tail -c 400 "$log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c1-110 || true)
      printf '[%6ss]   %s\n' "$(elapsed)" "${last:-working}"
    done
  ) &
  ticker=$!
  # A function gets a shell of its own: in this one `set -e` is off wherever a caller looks at the status.
  [[ $(type -t "$1") == function ]] && set -- bash -euo pipefail -c "$(declare -f); \"\$@\"" step "$@"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  if ((status != 0)); then
    say "FAILED: $title (status $status); the end of ${log#"$root"/}:"
    tail -n "40" "$log" | sed 's/^/    /'
  fi
  return "$status"
}

hash_of() { cat "$@" | sha256sum | cut -d' ' -f1; }

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -n "$@" || die "needs root without a password prompt; run as root: $*"
  else
    die "needs root; run as root: $*"
  fi
}
