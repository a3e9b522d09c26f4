# Installs packages of Debian or Ubuntu, for scripts that source it.
#
#   install_packages PURPOSE WITHOUT PACKAGE:PROGRAM...
#
# A package is there when its program is. Nothing is asked of anybody then, so that it costs
# nothing to call. Where something lacks and cannot be installed it says what, and what WITHOUT it
# does not work; that is an error only in CI (CI=true), where nothing may be left out.
#
# No service that comes with a package is started, now or when the computer is: tests and benchmarks
# start what they need by themselves, where it cannot be reached from outside.

source "$(dirname "${BASH_SOURCE[0]}")/again.sh"
PATH=$PATH:/usr/sbin:/sbin

install_packages() {
    local purpose=$1 without=$2 lacking=() one
    shift 2
    for one in "$@"; do
        command -v "${one#*:}" >/dev/null || lacking+=("${one%%:*}")
    done
    if ((${#lacking[@]} == 0)); then return; fi
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
        echo "$purpose: packages are missing: ${lacking[*]}" >&2
        echo "hint: as root, on Debian or Ubuntu: apt-get install ${lacking[*]}" >&2
        echo "$without" >&2
        [[ ${CI:-} != true ]]
        return
    fi
    echo "$purpose: installing ${lacking[*]}"
    without_services again fetch_and_install "${lacking[@]}"
}

# An update that misses a part of the lists is no failure to apt: the install that fails then begins
# with another one.
fetch_and_install() {
    apt_get update && apt_get install --yes --no-install-recommends "$@"
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get --quiet --quiet \
        -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

# Runs a command with Debian's own way to forbid the start of services, and has none of those that
# came with it started when the computer is.
without_services() (
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    before=$(enabled_services)
    "$@"
    comm -13 <(echo "$before") <(enabled_services) | xargs --no-run-if-empty rm --
)

# The links that `systemctl disable` removes; systemd need not run.
enabled_services() {
    find /etc/systemd/system -path '*.wants/*' -type l 2>/dev/null | sort
}
