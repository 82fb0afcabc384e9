#!/usr/bin/env bash
# Formatters and linters in one command. Usage: lint.sh [--all] [--fix] [PART...], parts format tidy python shell.
# --fix rewrites what the formatters can. tidy reads build/release, which must be built; without --all it leaves out the
# slowest files (tests, and Beast and gRPC front ends without coroutines), and it does not read a file again that passed
# until that file or a header of it changes.
# shellcheck disable=SC2317  # the parts are called by name
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
all='' fix='' parts=()
for argument in "$@"; do
  case $argument in
    --all) all=1 ;;
    --fix) fix=1 ;;
    format | tidy | python | shell) parts+=("$argument") ;;
    *) die "usage: lint.sh [--all] [--fix] [format] [tidy] [python] [shell]" ;;
  esac
done
((${#parts[@]} > 0)) || parts=(format tidy python shell)

# ours PATTERN...: files of the repository, planted violations apart.
ours() {
  local file
  git ls-files -co --exclude-standard -- "$@" ':!tests/tools/planted' | sort -u | while read -r file; do
    if [[ -f $file ]]; then echo "$file"; fi
  done
}

lint_format() {
  if [[ $fix ]]; then ours '*.cpp' '*.hpp' | xargs -r clang-format-19 -i; fi
  ours '*.cpp' '*.hpp' | xargs -r clang-format-19 --dry-run --Werror
}

lint_tidy() {
  local database=build/release/compile_commands.json
  [[ -f $database ]] || die "no $database: build first"
  python3 scripts/tidy.py "$database" --jobs "$(nproc)" ${all:+--all}
}

lint_python() {
  local ruff=$SHOAL_HOME/tools/venv/bin/ruff
  [[ -x $ruff ]] || die "no $ruff: ./test makes it"
  ours '*.py' | xargs -r "$ruff" check ${fix:+--fix} --quiet --no-cache
}

lint_shell() {
  { ours '*.sh' | grep -v '^scripts/headless_shell/'; echo run test bench .ci/run | tr ' ' '\n'; } | sort -u | xargs -r shellcheck -x
  shellcheck scripts/headless_shell/headless_shell.sh
}

status=0
for part in "${parts[@]}"; do
  say "lint: $part"
  # In a shell of its own, so that a failure inside ends the part.
  bash -euo pipefail -c "$(declare -f); all=$all; fix=$fix; lint_$part" lint || { say "lint: $part: FAILED"; status=1; }
done
exit "$status"
