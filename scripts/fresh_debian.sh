#!/usr/bin/env bash
# Follows the README to the letter on a machine that has nothing: a fresh Debian 12 root file system, a clone of the last
# commit, `./run`, a question to the server, Ctrl-C, and `./run` again. Shows every step that a developer's machine hides.
# Needs root, 10 GB of disk and free ports 8000 to 8002. How this machine reaches its package registries (mirror list,
# settings of pip, npm and cargo, certificates, proxies) is carried in; nothing else is.
# Usage: fresh_debian.sh [--keep] [--ccache]
#   --keep    leaves the root file system in $SHOAL_HOME/container/fresh
#   --ccache  shares this machine's compiler cache (the clone lies at the same path, so that it hits)
set -euo pipefail
if [[ ${1:-} != --in-namespace ]]; then exec unshare --mount --propagation private "$0" --in-namespace "$@"; fi
shift
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
keep='' ccache=''
for argument in "$@"; do
  case $argument in
    --keep) keep=1 ;;
    --ccache) ccache=1 ;;
    *) die "usage: fresh_debian.sh [--keep] [--ccache]" ;;
  esac
done
export fresh=$SHOAL_HOME/container/fresh
"$root/scripts/debian_rootfs.sh"

unpack() {
  rm -rf "$fresh"
  mkdir -p "$fresh"
  tar -C "$fresh" --numeric-owner -xf "$SHOAL_HOME/container/bookworm.tar"
  git clone --quiet --no-local --depth 1 "file://$root" "$fresh$root"
  # Debian's installer writes this file, debootstrap does not; chromedriver looks up "localhost".
  printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >"$fresh/etc/hosts"
  cp -L /etc/resolv.conf "$fresh/etc/resolv.conf"
  [[ ! -f /etc/ssl/certs/ca-certificates.crt ]] || cp -L /etc/ssl/certs/ca-certificates.crt "$fresh/etc/machine-ca.crt"
  local file
  for file in /etc/pip.conf "$HOME/.config/pip/pip.conf" "$HOME/.npmrc" "$HOME/.cargo/config.toml"; do
    [[ -f $file ]] || continue
    case $file in
      "$HOME"/*) install -D -m 644 "$file" "$fresh/root/${file#"$HOME"/}" ;;
      *) install -D -m 644 "$file" "$fresh$file" ;;
    esac
  done
}
step fresh_unpack "unpacking a fresh Debian 12 and a clone of $(git -C "$root" rev-parse --short HEAD)" unpack

mount -t proc proc "$fresh/proc"
mount -t sysfs -o ro sys "$fresh/sys"
mount --rbind /dev "$fresh/dev"
if [[ $ccache ]]; then
  mkdir -p "$HOME/.cache/ccache" "$fresh/root/.cache/ccache"
  mount --bind "$HOME/.cache/ccache" "$fresh/root/.cache/ccache"
fi

settings=(HOME=/root LANG=C.UTF-8 TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for name in SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE PIP_CERT NODE_EXTRA_CA_CERTS CARGO_HTTP_CAINFO npm_config_cafile; do
  settings+=("$name=/etc/machine-ca.crt")
done
for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_DEFAULT_TIMEOUT npm_config_registry http_proxy \
  https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  [[ -z ${!name:-} ]] || settings+=("$name=${!name}")
done
inside() { chroot "$fresh" /usr/bin/env -i "${settings[@]}" bash -c "cd $root && $1"; }

log=$logs/fresh_run.log
# serve_once TITLE SECONDS: ./run until it has shown its answer, then Ctrl-C's signal, then nothing may be left.
serve_once() {
  local runner deadline=$((SECONDS + $2)) begun=$SECONDS status=0 left
  say "$1"
  : >"$log"
  chroot "$fresh" /usr/bin/env -i "${settings[@]}" bash -c "cd $root && exec ./run" >"$log" 2>&1 </dev/null &
  runner=$!
  until grep -q 'Ctrl-C stops' "$log"; do
    if ! kill -0 "$runner" 2>/dev/null || ((SECONDS > deadline)); then
      tail -n 60 "$log"
      kill -TERM "$runner" 2>/dev/null || true
      die "./run showed no answer"
    fi
    sleep 0.2
  done
  sed 's/^/    /' "$log"
  say "ready and answered after $((SECONDS - begun)) s"
  kill -TERM "$runner"
  wait "$runner" || status=$?
  ((status == 0)) || die "./run ended with status $status"
  left=$({ find /proc -maxdepth 2 -name root -lname "$fresh" 2>/dev/null || true; } | wc -l)
  ((left == 0)) || die "$left processes were left behind"
}

serve_once "./run in a fresh Debian 12" 3000
serve_once "./run again" 60
say "packages in the end: $(inside "dpkg-query -f '.\n' -W | wc -l"), disk $(du -sxh "$fresh" | cut -f1)"
umount -R "$fresh/dev" "$fresh/sys" "$fresh/proc"
[[ ! $ccache ]] || umount "$fresh/root/.cache/ccache"
[[ $keep ]] || rm -rf "$fresh"
say "passed"
