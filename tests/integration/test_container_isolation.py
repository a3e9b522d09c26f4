"""What a machine can do to the computer that it is on: nothing."""

from __future__ import annotations

import errno
import io
import os
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera.platform.drivers.base import BootSpec
from ephemera.platform.drivers.container import ranges
from ephemera.platform.drivers.monitoring import kernel
from tests import needs
from tests.container_machines import Machines
from tests.container_world import quiet
from tests.images import BUSYBOX, busybox, file, layer
from tests.registry import Registry

pytestmark = [
    *needs.containers,
    needs.registry,
    needs.busybox,
]


@pytest.fixture(scope="module")
def machines(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    image = registry.push("isolated", busybox())
    with Machines.opened(tmp_path_factory.mktemp("platform"), image) as opened:
        yield opened


@pytest.fixture(scope="module")
def machine(machines: Machines) -> str:
    """A machine that does nothing until it is told to."""
    return machines.start("sleep", "10000")


#: What no machine may do, as a script that succeeds only where it could.
_FORBIDDEN = {
    "mount a tmpfs": "mount -t tmpfs none /mnt || mkdir /mnt && mount -t tmpfs none /mnt",
    "mount a folder": "mkdir -p /here && mount -o bind /etc /here",
    "mount proc anew": "mkdir -p /p && mount -t proc proc /p",
    "unmount what is masked": "umount /proc/kcore",
    "make /proc/sys writable": "mount -o remount,rw,bind /proc/sys",
    "make /sys writable": "mount -o remount,rw /sys",
    "make a block device": "mknod /tmp/disk b 254 0",
    "make a character device": "mknod /tmp/mem c 1 1",
    "make a user namespace": "unshare -U true",
    "make a mount namespace": "unshare -m true",
    "make a network namespace": "unshare -n true",
    "enter a namespace of its first process": "nsenter -t 1 -m true",
    "see the files of its first process": "ls /proc/1/root/",
    "see where its first process is": "readlink /proc/1/cwd",
    "see the program of its first process": "readlink /proc/1/exe",
    "see the environment of its first process": "cat /proc/1/environ",
    "see the descriptors of its first process": "readlink /proc/1/fd/0",
    "see the memory map of its first process": "cat /proc/1/maps",
    "protect its first process": "echo -1000 > /proc/1/oom_score_adj",
    "protect itself": "echo -1000 > /proc/self/oom_score_adj",
    "change its host name for good": "echo other > /proc/sys/kernel/hostname",
    "change how cores are dumped": "echo '|/bin/sh' > /proc/sys/kernel/core_pattern",
    "change a limit of the kernel": "echo 1 > /proc/sys/vm/overcommit_memory",
    "forward packets": "echo 1 > /proc/sys/net/ipv4/ip_forward",
    "ask the kernel to crash": "[ ! -c /proc/sysrq-trigger ] && echo c > /proc/sysrq-trigger",
    "load a helper for hotplug": "echo /bin/sh > /sys/kernel/uevent_helper",
    "write to /sys": "echo 1 > /sys/kernel/profiling",
    "set the clock": "date -s @86400; [ $(date +%s) -lt 1000000 ]",
    "set up its network": "ip link set eth0 down",
    "add an address": "ip addr add 10.9.9.9/8 dev eth0",
    "add a route": "ip route add 10.9.9.0/24 dev eth0",
    "read the kernel's messages": "dmesg | grep .",
    "insert a module": "insmod /bin/busybox",
    "raise its priority": "nice -n -10 true 2>&1 | grep -v . ",
    "change its root and get out": "chroot /proc/1/root true",
    "see the kernel's memory": "head -c 1 /proc/kcore | grep -q .",
    "see the kernel's symbols": "grep -q . /proc/kallsyms",
    "see the kernel's keys": "grep -q . /proc/keys",
    "see the timers of others": "grep -q . /proc/timer_list",
    "find a disk of the computer": "ls /dev | grep -E '^(vd|sd|nvme|loop|mem|kmsg|fuse|kvm)'",
    "write to its limits": "echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes",
    "write to its limits of version 2": "echo max > /sys/fs/cgroup/memory.max",
    "make a cgroup of its own": "mkdir /sys/fs/cgroup/own",
    "swap": "dd if=/dev/zero of=/s bs=4k count=20 && mkswap /s && swapon /s",
    "restart the computer": "reboot -f",
    "give away what it cannot name": "touch /f && chown 70000 /f",
}


@pytest.mark.parametrize("script", _FORBIDDEN.values(), ids=_FORBIDDEN.keys())
def test_its_root_cannot(machines: Machines, machine: str, script: str) -> None:
    done = machines.exec(machine, "sh", "-c", script)
    assert done.exit_code != 0, done
    assert b"not found" not in done.stderr, done
    assert machines.exec(machine, "true").exit_code == 0


def test_folders_of_the_kernel_that_are_masked_are_empty_and_stay_so(
    machines: Machines, machine: str
) -> None:
    script = """
        for one in /proc/acpi /proc/asound /proc/scsi /sys/devices/virtual/powercap /sys/firmware \\
            /sys/kernel/debug /sys/kernel/security
        do
            test -d $one || continue
            echo masked
            ls -A $one
            touch $one/written && echo written
        done
    """
    said = machines.exec(machine, "sh", "-c", script).stdout.decode().split()
    assert "masked" in said
    assert set(said) == {"masked"}


_STATUS = "grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status"
#: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw,
#: sys_chroot, setfcap.
_KEPT = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 31)


def _status(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name: value.strip() for name, _, value in pairs}


@pytest.mark.parametrize("user", ["", "nobody"])
def test_its_programs_have_few_privileges_and_a_filter(machines: Machines, user: str) -> None:
    found = _status(machines.output(_STATUS, user=user))
    _have_few_privileges(found, is_root=not user)


def _have_few_privileges(found: dict[str, str], *, is_root: bool) -> None:
    kept = sum(1 << number for number in _KEPT)
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"
    assert int(found["CapBnd"], 16) == kept
    assert int(found["CapEff"], 16) == (kept if is_root else 0)
    assert int(found["CapPrm"], 16) == (kept if is_root else 0)
    assert int(found["CapInh"], 16) == int(found["CapAmb"], 16) == 0


def test_its_commands_have_no_more_than_that(machines: Machines, machine: str) -> None:
    printed = machines.exec(machine, "sh", "-c", _STATUS).stdout.decode()
    _have_few_privileges(_status(printed.splitlines()), is_root=True)


#: Tries system calls that have no use for a program and a history of holes, and says the errors.
_CALLS = """
import ctypes, errno, platform
libc = ctypes.CDLL(None, use_errno=True)
names = {"x86_64": {"bpf": 321, "userfaultfd": 323, "perf_event_open": 298, "keyctl": 250,
    "add_key": 248, "open_by_handle_at": 304, "kexec_load": 246, "init_module": 175, "mount": 165,
    "pivot_root": 155, "setns": 308, "unshare": 272, "io_uring_setup": 425, "clone3": 435,
    "process_vm_readv": 310, "acct": 163, "quotactl": 179, "open_tree": 428, "fsopen": 430,
    "move_mount": 429, "mount_setattr": 442, "ioperm": 173, "iopl": 172, "syslog": 103,
    "settimeofday": 164, "reboot": 169, "swapon": 167, "vhangup": 153, "modify_ldt": 154,
    "pidfd_getfd": 438, "kcmp": 312, "lookup_dcookie": 212, "uselib": 134, "ustat": 136},
  "aarch64": {"bpf": 280, "userfaultfd": 282, "perf_event_open": 241, "keyctl": 219,
    "open_by_handle_at": 265, "mount": 40, "setns": 268, "unshare": 97, "io_uring_setup": 425,
    "clone3": 435, "process_vm_readv": 270, "reboot": 142, "init_module": 105}}
for name, number in names[platform.machine()].items():
    ctypes.set_errno(0)
    libc.syscall(number, 0, 0, 0, 0, 0, 0)
    print(name, errno.errorcode.get(ctypes.get_errno(), "did it"))
"""


def test_system_calls_that_are_not_for_programs_do_not_exist(machines: Machines) -> None:
    said = dict(line.split(" ", 1) for line in machines.python(_CALLS))
    assert len(said) > 10
    assert set(said.values()) == {"ENOSYS"}, said


_TRACE = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
for pid in (1, os.getppid()):
    libc.ptrace(16, pid, None, None)  # PTRACE_ATTACH
    print(errno.errorcode[ctypes.get_errno()])
try:
    open("/proc/1/mem", "rb").read(1)
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def test_its_first_process_cannot_be_traced(machines: Machines) -> None:
    first, _, memory = machines.python(_TRACE)
    assert (first, memory) == ("EPERM", "EACCES")


def test_its_first_process_shows_nothing_of_this_computer(machines: Machines, machine: str) -> None:
    shown = machines.exec(
        machine, "sh", "-c", "cat /proc/1/cmdline /proc/1/comm /proc/1/mounts; cat /proc/1/cgroup"
    )
    text = shown.stdout.decode()
    assert "init" in text
    assert str(machines.world.home) not in text
    assert "python" not in text
    assert "ext4" not in text


def test_it_sees_its_own_processes_and_no_others(machines: Machines, machine: str) -> None:
    pids = machines.exec(machine, "sh", "-c", "ls /proc | grep '^[0-9]'; echo $$").stdout.split()
    assert len(pids) < 10
    assert os.getpid() > 50
    host = machines.exec(machine, "sh", "-c", f"kill -0 {os.getpid()}")
    assert host.exit_code != 0


@pytest.mark.parametrize("target", ["-1", "0"])
def test_a_signal_to_all_that_it_can_reach_ends_only_itself(
    machines: Machines, machine: str, target: str
) -> None:
    spared = machines.run("sh", "-c", f"kill -9 {target}; exit 3")
    assert spared.exit.exit_code in (3, 137)
    assert machines.exec(machine, "true").exit_code == 0
    ended = machines.start("sleep", "10000")
    machines.exec(ended, "sh", "-c", f"sleep 0.01; kill -9 {target}")
    machines.await_(machines.driver.signal(ended, signal.SIGKILL))
    found = machines.ended(ended).exit
    assert (found.exit_code, found.error) == (137, ""), "its monitor has seen its end"


def test_its_root_is_somebody_else_on_this_computer(machines: Machines, machine: str) -> None:
    machines.exec(machine, "sh", "-c", "touch /mine; su -s /bin/sh nobody -c 'sleep 500' &")
    first = machines.world.init(machine.partition("/")[0])
    monitor = machines.world.monitor(machine.partition("/")[0])
    children = [one.pid for one in kernel.descendants(monitor)]
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in children if pid != first}
    root = min(owners)
    assert root >= ranges.FIRST
    assert all(owner < root + ranges.IDS for owner in owners)
    assert _written(machines, machine, "mine").stat().st_uid == root


def _written(machines: Machines, machine: str, name: str) -> Path:
    return machines.world.home / "machines" / f"{machine}.layer" / "upper" / name


def test_its_users_are_nobody_elses(machines: Machines) -> None:
    pair = [machines.start("sleep", "10000", image=image) for image in (machines.image, "host")]
    for one in pair:
        assert machines.exec(one, "touch", "/etc/mine").exit_code == 0
    owners = {_written(machines, one, "etc/mine").stat().st_uid for one in pair}
    assert len(owners) == 2
    for one in pair:
        machines.ended_by_kill(one)


def test_what_it_left_has_the_users_that_it_knew(machines: Machines) -> None:
    for number, image in enumerate((machines.image, "host")):
        script = "echo >/etc/mine && echo >/etc/his && chown 7:8 /etc/his"
        name = f"left{number}"
        spec = machines.world.spec("sh", "-c", script, machine_id=name, image=image)
        handle = machines.await_(machines.driver.start(spec, quiet))
        assert machines.await_(machines.driver.wait(handle)).exit_code == 0
        archive = machines.await_(_exported(machines, spec))
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            owners = [(one.uid, one.gid) for one in map(tar.getmember, ("etc/mine", "etc/his"))]
        assert owners == [(0, 0), (7, 8)]
        machines.await_(machines.driver.destroy(name))


async def _exported(machines: Machines, spec: BootSpec) -> bytes:
    return b"".join([block async for block in machines.driver.export(spec)])


def test_it_has_a_name_and_names_of_its_own(machines: Machines, machine: str) -> None:
    name = machine.partition("/")[0]
    said = machines.exec(machine, "sh", "-c", "hostname; cat /etc/hostname; cat /etc/hosts")
    assert said.stdout.decode().split()[:2] == [name, name]
    assert f" {name} " in said.stdout.decode()
    assert machines.exec(machine, "hostname", "other").exit_code != 0
    assert os.uname().nodename not in said.stdout.decode().split()


def test_a_program_that_is_set_to_run_as_root_does_not(
    machines: Machines, registry: Registry
) -> None:
    image = registry.push(
        "setuid", busybox(layer(file("bin/as-root", BUSYBOX.read_bytes(), mode=0o4755)))
    )
    script = "stat -c '%a %u' /bin/as-root; ln -s /bin/as-root /tmp/id; /tmp/id -u"
    assert machines.output(script, image=image, user="nobody") == ["4755 0", "65534"]


def test_its_dev_has_what_programs_need_and_nothing_else(machines: Machines, machine: str) -> None:
    found = machines.exec(machine, "ls", "/dev").stdout.decode().split()
    expected = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
    assert set(found) - {"console", "core"} == set(expected.split())


@pytest.mark.parametrize("image", ["", "host"])
def test_nothing_of_a_machine_leads_to_the_home_of_the_platform(
    machines: Machines, image: str
) -> None:
    script = "for one in /proc/[0-9]*/fd/*; do readlink $one; done; cat /proc/self/mountinfo; env"
    lines = machines.output(script, image=image or machines.image)
    assert any(" - overlay " in line for line in lines)
    assert not [line for line in lines if str(machines.world.home) in line]


def test_who_packs_its_files_looks_up_no_names_in_them(machines: Machines) -> None:
    # libc would load the libraries that the machine's own `/etc/nsswitch.conf` names
    spec = machines.world.spec("touch", "/there", machine_id="packed", image=machines.image)

    async def packed() -> bytes:
        assert (await machines.world.ended(machines.driver, spec)).exit_code == 0
        return b"".join([block async for block in machines.driver.export(spec)])

    with tarfile.open(fileobj=io.BytesIO(machines.await_(packed()))) as tar:
        members = tar.getmembers()
    assert "there" in [one.name for one in members]
    assert {(one.uname, one.gname) for one in members} == {("", "")}


def test_it_has_no_sockets_that_its_network_does_not_keep_apart(machines: Machines) -> None:
    program = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def have(family):
    made = libc.syscall(SOCKET, ctypes.c_long(family), socket.SOCK_DGRAM, 0)
    return made >= 0 or os.strerror(ctypes.get_errno())
print([have(one) for one in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)])
print([have(one) for one in (socket.AF_ALG, socket.AF_VSOCK, 1 << 32 | socket.AF_VSOCK)])
""".replace("SOCKET", {"x86_64": "41"}.get(os.uname().machine, "198"))
    missing = os.strerror(errno.ENOSYS)
    assert machines.python(program) == ["[True, True, True]", str([missing] * 3)]
