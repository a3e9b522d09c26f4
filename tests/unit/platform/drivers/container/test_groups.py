"""Which group a process is in, and where that is seen."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ephemera.platform.drivers.container import groups, rootless_groups
from ephemera.platform.drivers.container.groups import Unified

_HOST = Unified("/sys/fs/cgroup", "/")


def _line(place: str, top: str = "/", kind: str = "cgroup2") -> str:
    return f"31 23 0:28 {top} {place} rw shared:9 - {kind} cgroup rw,nsdelegate"


def test_version_2_is_found_where_it_is_mounted() -> None:
    lines = [_line("/sys/fs/cgroup/memory", kind="cgroup"), _line("/a\\040b", "/x"), _line("/c")]
    assert Unified.find(lines) == Unified("/a b", "/x")
    assert Unified.find(lines[:1]) is None


@pytest.mark.parametrize(
    ("top", "group", "folder"),
    [
        ("/", "/", "/sys/fs/cgroup"),
        ("/", "/user.slice/a.scope", "/sys/fs/cgroup/user.slice/a.scope"),
        ("/docker/1", "/docker/1", "/sys/fs/cgroup"),
        ("/docker/1", "/docker/1/a", "/sys/fs/cgroup/a"),
        ("/docker/1", "/docker/12", ""),
        ("/", "", ""),
        ("/", "/../other.slice", ""),
    ],
)
def test_a_group_is_seen_below_what_is_mounted(top: str, group: str, folder: str) -> None:
    assert Unified("/sys/fs/cgroup", top).folder(group) == folder


def test_machines_are_below_what_is_mounted_unless_their_platform_is_in_a_leaf() -> None:
    assert _HOST.top_for_machines("/user.slice/session-1.scope") == "/sys/fs/cgroup"
    assert _HOST.top_for_machines(f"/{groups.LEAF}") == "/sys/fs/cgroup"
    assert _HOST.top_for_machines(f"/a/b.scope/{groups.LEAF}") == "/sys/fs/cgroup/a/b.scope"
    assert _HOST.top_for_machines("/../elsewhere") == "/sys/fs/cgroup"


def test_a_process_that_is_gone_is_in_no_group() -> None:
    assert groups.of(2**22) == ""


def test_a_scope_takes_one_process_is_left_to_us_and_is_forgotten_when_it_is_empty() -> None:
    told = rootless_groups.scope_call("e.scope", 12, "/home/eve/my state")
    call = told[told.index("StartTransientUnit") :]
    assert call == [
        "StartTransientUnit", "ssa(sv)a(sa(sv))", "e.scope", "fail", "5",
        "Description", "s", "Ephemera: machines of /home/eve/my state",
        "Delegate", "b", "true",
        "CollectMode", "s", "inactive-or-failed",
        "TasksMax", "t", "18446744073709551615",
        "PIDs", "au", "1", "12",
        "0",
    ]  # fmt: skip


def test_what_systemd_runs_for_a_user_ends_with_the_session_unless_the_user_lingers(
    tmp_path: Path,
) -> None:
    folder = "/sys/fs/cgroup/user.slice/user-0.slice/user@0.service/app.slice/a.scope"
    assert rootless_groups.ends_with(folder, tmp_path) == "root"
    (tmp_path / "root").touch()
    assert rootless_groups.ends_with(folder, tmp_path) == ""
    nobody = folder.replace("@0.", f"@{2**31}.")
    assert rootless_groups.ends_with(nobody, tmp_path) == str(2**31)


@pytest.mark.parametrize("folder", ["", "/sys/fs/cgroup", "/sys/fs/cgroup/system.slice/a.service"])
def test_elsewhere_nothing_ends_with_a_session(folder: str, tmp_path: Path) -> None:
    assert rootless_groups.ends_with(folder, tmp_path) == ""


def test_a_group_is_delegated_where_systemd_says_so_and_it_is_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"a.service": b"1", "b.service": b"0", "user@7.service": b"1"}
    for name in (*said, "c.service"):
        (tmp_path / name).mkdir()

    def getxattr(folder: str, name: str) -> bytes:
        if name != "user.delegate" or Path(folder).name not in said:
            raise OSError(errno.ENODATA, "no data")
        return said[Path(folder).name]

    monkeypatch.setattr(os, "getxattr", getxattr)
    found = [
        one for one in (*said, "c.service") if rootless_groups._is_delegated(f"{tmp_path}/{one}")
    ]
    assert found == ["a.service"]


def test_an_answer_of_systemd_is_asked_for_as_whom_we_are(tmp_path: Path) -> None:
    script = tmp_path / "busctl"
    script.write_text(
        '#!/bin/sh\necho one >&2; echo "$XDG_RUNTIME_DIR $DBUS_SESSION_BUS_ADDRESS" >&2\nexit 1'
    )
    script.chmod(0o755)
    said = rootless_groups._ask([str(script)], "/run/user/7")
    assert said == "/run/user/7 unix:path=/run/user/7/bus"
    script.write_text("#!/bin/sh\nexit 3")
    assert rootless_groups._ask([str(script)], "/run/user/7") == "busctl ended with 3"
    assert rootless_groups._ask(["/bin/sh", "-c", "exit 0"], "/run/user/7") == ""
