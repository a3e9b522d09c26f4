#!/usr/bin/env bash
# Installs what the benchmarks compare the platform with, beside what the tests need.
#
#   scripts/setup_bench.sh
#
# Safe to repeat, and quick where everything is there.
set -euo pipefail
source "$(dirname "$0")/packages.sh"

install_packages "benchmarks" \
    "What is not there is not compared with, and the benchmarks say so." \
    aardvark-dns:/usr/lib/podman/aardvark-dns \
    docker.io:dockerd \
    iptables:iptables \
    mmdebstrap:mmdebstrap \
    netavark:/usr/lib/podman/netavark \
    nginx-light:/usr/sbin/nginx \
    podman:podman \
    runc:runc \
    wrk:wrk
