#!/usr/bin/env bash
# Builds docker-compose.yml and brings it up for real, on a machine without a Docker engine: podman + runc + podman-compose
# over a Debian base image of our own making (no image registry is asked). Then: healthy, an embedding through the published
# port, Prometheus sees the server, nothing runs as root, and SIGTERM ends the server with status 0.
# What is built is the last commit, not the working tree. Needs root and about 25 GB of disk below $SHOAL_HOME/container.
# Usage: compose_smoke.sh [--after-fresh]
#   --after-fresh  the build stage starts from the root file system that `scripts/fresh_debian.sh --keep` left, where the
#                  packages are installed and the parts built already, instead of from a bare Debian
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
after_fresh=${1:-}
[[ ! $after_fresh || $after_fresh == --after-fresh ]] || die "usage: compose_smoke.sh [--after-fresh]"
cd "$root"
place=$SHOAL_HOME/container
mkdir -p "$place"
"$root/scripts/debian_rootfs.sh"

cat >"$place/containers.conf" <<EOF
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
EOF
cat >"$place/storage.conf" <<EOF
[storage]
driver = "vfs"
graphroot = "$place/storage"
runroot = "$place/run"
EOF
export CONTAINERS_CONF=$place/containers.conf CONTAINERS_STORAGE_CONF=$place/storage.conf
export BUILDAH_ISOLATION=chroot BUILDAH_FORMAT=docker # format docker keeps HEALTHCHECK
export BASE_IMAGE=localhost/bookworm-slim:local
export HTTP_PORT=18000 GRPC_PORT=18001 METRICS_PORT=18002 PROMETHEUS_PORT=19090

tools=$place/venv
if [[ $(cat "$tools/.stamp" 2>/dev/null) != "$(hash_of deploy/podman_compose.txt)" ]]; then
  make_tools() {
    python3 -m venv --clear "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r deploy/podman_compose.txt
  }
  step podman_compose "podman-compose" make_tools "$tools"
  hash_of deploy/podman_compose.txt >"$tools/.stamp"
fi

podman image exists "$BASE_IMAGE" || step base_image "the Debian base image" podman import "$place/bookworm.tar" "$BASE_IMAGE"

export place context=$place/context fresh=$place/fresh
make_context() {
  local file
  rm -rf "$context"
  mkdir -p "$context"
  git archive HEAD | tar -x -C "$context"
  # Layers are cached by time stamps too: a file that the working tree has unchanged keeps its own.
  git ls-files | while read -r file; do
    if cmp -s "$file" "$context/$file"; then touch -r "$file" "$context/$file"; fi
  done
  # What has changed since the fresh Debian was filled must look newer than what was built there.
  [[ ! $1 ]] || git diff --name-only "$1" HEAD | while read -r file; do
    if [[ -f $context/$file ]]; then touch "$context/$file"; fi
  done
}
import_fresh() {
  tar -C "$fresh" --numeric-owner --one-file-system --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' -c . |
    podman import - "$BUILD_BASE_IMAGE"
}
built=
if [[ $after_fresh ]]; then
  built=$(git -C "$fresh$root" rev-parse HEAD)
  export BUILD_BASE_IMAGE=localhost/shoal-build-base:local
  step build_base "the build stage's base, from $fresh" import_fresh
fi
step context "the sources of $(git rev-parse --short HEAD)" make_context "$built"
compose() { "$tools/bin/podman-compose" --project-name shoal_smoke --file "$context/docker-compose.yml" "$@"; }

# The build reaches the package registries as this machine does: its certificates and settings are mounted, not copied.
# One copy of the file system per stage, not one per instruction: without an overlay each copy is the whole of it.
mounts=--layers=false
home_inside=/root
mount_if_there() { [[ ! -f $1 ]] || mounts+=" -v $1:$2:ro"; }
mount_if_there /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates/this_machine.crt
mount_if_there "$HOME/.npmrc" "$home_inside/.npmrc"
mount_if_there "$HOME/.cargo/config.toml" "$home_inside/.cargo/config.toml"
mount_if_there /etc/pip.conf /etc/pip.conf
mkdir -p "$HOME/.cache/ccache"
mounts+=" -v $HOME/.cache/ccache:$home_inside/.cache/ccache --build-arg SOURCE=$root"
step compose_build "building the images (a full build inside: many minutes)" \
  "$tools/bin/podman-compose" --project-name shoal_smoke --file "$context/docker-compose.yml" --podman-build-args="$mounts" build

down() { compose down --volumes >"$logs/compose_down.log" 2>&1 || true; }
trap down EXIT
step compose_up "podman-compose up" "$tools/bin/podman-compose" --project-name shoal_smoke --file "$context/docker-compose.yml" up -d --no-build
server=shoal_smoke_shoal_1

say "waiting for the health check"
# Without systemd nothing runs health checks by itself.
deadline=$((SECONDS + 180))
until podman healthcheck run "$server" >/dev/null 2>&1; do
  ((SECONDS < deadline)) || { podman logs --tail 40 "$server"; die "not healthy after 180 s"; }
  sleep 1
done
say "healthy; an embedding through the published port:"
answer=$(curl --fail --silent --show-error --max-time 60 "http://127.0.0.1:$HTTP_PORT/v1/embeddings" \
  -H 'Content-Type: application/json' -d '{"model": "all-minilm-l6-v2", "input": "Hello from a container"}')
echo "$answer" | cut -c1-160
width=$(python3 -c 'import json, sys; print(len(json.load(sys.stdin)["data"][0]["embedding"]))' <<<"$answer")
[[ $width == 384 ]] || die "expected 384 numbers, got $width"

deadline=$((SECONDS + 60))
until curl --silent "http://127.0.0.1:$PROMETHEUS_PORT/api/v1/query?query=up%7Bjob%3D%22shoal%22%7D" | grep -q '"1"\]'; do
  ((SECONDS < deadline)) || die "Prometheus does not see the server"
  sleep 1
done
say "Prometheus scrapes it"

users=$(podman top "$server" user | sort -u | grep -vx USER)
say "users inside: $(tr '\n' ' ' <<<"$users")"
[[ $users != *root* ]] || say "(root is the init process of the container engine)"
podman exec "$server" sh -c '[ "$(id -u)" != 0 ]' || die "the container runs as root"

podman stop --time 45 "$server" >/dev/null
status=$(podman inspect --format '{{.State.ExitCode}}' "$server")
[[ $status == 0 ]] || die "the server ended with status $status on SIGTERM"
say "SIGTERM: drained, status 0"
say "passed"
