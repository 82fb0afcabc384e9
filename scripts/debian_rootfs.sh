#!/usr/bin/env bash
# Makes a minimal Debian 12 root file system as $SHOAL_HOME/container/bookworm.tar, once. Needs root. It reads the mirror,
# its suites and apt's extra settings from this machine, so that the result installs packages from where this machine does.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
target=$SHOAL_HOME/container/bookworm.tar
[[ -f $target ]] && exit 0
[[ $(id -u) == 0 ]] || die "debootstrap needs root"
"$root/scripts/bootstrap.sh" container

make_rootfs() {
  local work=$1
  debootstrap --variant=minbase bookworm "$work/rootfs"
  rm -f "$work/rootfs/etc/apt/sources.list"
  cp -a /etc/apt/sources.list "$work/rootfs/etc/apt/" 2>/dev/null || true
  cp -a /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list "$work/rootfs/etc/apt/sources.list.d/" 2>/dev/null || true
  cp -a /etc/apt/apt.conf.d/99* "$work/rootfs/etc/apt/apt.conf.d/" 2>/dev/null || true
  rm -rf "$work"/rootfs/var/cache/apt/archives/*.deb "$work"/rootfs/var/lib/apt/lists/*
  tar -C "$work/rootfs" --numeric-owner -cf "$work/bookworm.tar" .
}

mkdir -p "$SHOAL_HOME/container"
work=$(mktemp -d "$SHOAL_HOME/container/.rootfs.XXXXXX")
trap 'rm -rf "$work"' EXIT
step rootfs "a minimal Debian 12 (debootstrap)" make_rootfs "$work"
mv "$work/bookworm.tar" "$target"
