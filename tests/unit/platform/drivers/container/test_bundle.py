from __future__ import annotations

import json
from typing import Any

import pytest

from ephemera.platform.drivers.container import bundle, seccomp
from ephemera.platform.drivers.container.bundle import Bind, Filter
from ephemera.platform.drivers.container.users import User

_COMPILED = Filter("compiled", {})
_ROOT, _APP = User(0, 0, (), "/root"), User(1000, 1001, (6,), "/home/app")


def _process(user: User = _ROOT, **more: Any) -> dict[str, Any]:
    return bundle.process(["true"], {"A": "1", "B": "="}, user, "/w", **{"tty": False, **more})


def _config(filter_: Filter = _COMPILED, version: int = 1) -> dict[str, Any]:
    return bundle.config(
        _process(), "/root", "m1", {"pid": "/proc/9/ns/pid", "user": "/proc/9/ns/user"},
        [Bind("/source", "/data", ("nosuid", "nodev"))], filter_,
        shm_mb=64, cgroup_version=version,
    )  # fmt: skip


def test_a_process_runs_as_its_user_with_its_environment() -> None:
    found = _process(_APP, tty=True)
    assert found["user"] == {"uid": 1000, "gid": 1001, "additionalGids": [6]}
    assert (found["env"], found["cwd"], found["terminal"]) == (["A=1", "B=="], "/w", True)


def test_only_root_has_privileges_and_nobody_gets_more() -> None:
    for user in (_ROOT, _APP):
        found = _process(user)
        assert found["noNewPrivileges"]
        assert bool(found["capabilities"]["effective"]) == (user is _ROOT)
        allowed = set(found["capabilities"]["bounding"])
        dangerous = ("SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "MKNOD", "NET_ADMIN", "SYS_RAWIO",
                     "DAC_READ_SEARCH", "SYS_TIME", "BPF", "PERFMON", "SYS_RESOURCE")  # fmt: skip
        assert not allowed & {f"CAP_{one}" for one in dangerous}


def test_existing_namespaces_are_joined_and_the_others_made() -> None:
    kinds = {one["type"]: one.get("path") for one in _config()["linux"]["namespaces"]}
    assert kinds == {
        "pid": "/proc/9/ns/pid", "user": "/proc/9/ns/user", "mount": None, "cgroup": None,
    }  # fmt: skip


def test_every_mount_but_dev_is_without_devices_and_setuid() -> None:
    for mount in _config(version=2)["mounts"]:
        assert "nosuid" in mount["options"]
        if mount["destination"] not in ("/dev", "/dev/pts"):
            assert "nodev" in mount["options"], mount


@pytest.mark.parametrize(("version", "is_shown"), [(0, False), (1, False), (2, True)])
def test_limits_are_shown_read_only_where_there_is_one_tree(version: int, is_shown: bool) -> None:
    found = [one for one in _config(version=version)["mounts"] if one["type"] == "cgroup"]
    assert bool(found) == is_shown
    assert all("ro" in one["options"] for one in found)


def test_the_filter_is_compiled_or_text_or_neither() -> None:
    assert _config()["annotations"] == {"run.oci.seccomp_bpf_data": "compiled"}
    assert "seccomp" not in _config()["linux"]
    text = _config(Filter("", seccomp.section()))
    assert "annotations" not in text
    assert text["linux"]["seccomp"]["defaultErrnoRet"] == 38
    neither = _config(Filter("", {}))
    assert "annotations" not in neither
    assert "seccomp" not in neither["linux"]


def test_the_filter_lets_nobody_mount_trace_the_kernel_or_make_namespaces() -> None:
    section = seccomp.section()
    plain = {name for rule in section["syscalls"] if "args" not in rule for name in rule["names"]}
    refused = {"mount", "umount2", "unshare", "setns", "clone", "clone3", "bpf", "keyctl", "ptrace",
               "init_module", "io_uring_setup", "open_by_handle_at", "perf_event_open", "reboot",
               "userfaultfd", "process_vm_readv", "pivot_root", "fsopen", "open_tree", "kexec_load",
               "mount_setattr", "move_mount", "settimeofday", "swapon"} - {"ptrace"}  # fmt: skip
    assert not plain & refused
    assert {"read", "execve", "fork", "futex", "openat2", "waitid"} <= plain


def test_it_is_what_json_can_hold() -> None:
    assert json.loads(json.dumps(_config())) == _config()
