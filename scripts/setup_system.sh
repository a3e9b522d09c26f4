#!/usr/bin/env bash
# Installs the packages of the operating system that the tests of containers and databases need.
#
#   scripts/setup_system.sh
#
# Safe to repeat, and quick where everything is there.
set -euo pipefail
source "$(dirname "$0")/packages.sh"

install_packages "tests" \
    "The tests that need them are skipped, and say so: those marked 'crun', 'root' and 'postgresql'." \
    buildah:buildah \
    busybox-static:busybox \
    crun:crun \
    docker-registry:docker-registry \
    e2fsprogs:mkfs.ext4 \
    iproute2:ip \
    nftables:nft \
    passt:pasta \
    postgresql:pg_createcluster \
    skopeo:skopeo \
    uidmap:newuidmap \
    umoci:umoci \
    util-linux:setpriv \
    zstd:zstd

if ((EUID != 0)); then
    echo "tests: this is not root: the tests marked 'root' are skipped" >&2
fi
