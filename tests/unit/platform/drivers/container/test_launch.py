"""The way of a process into a machine, as a list and without a kernel."""

from __future__ import annotations

import base64
import os
import signal
from typing import Any

import pytest

from ephemera.platform.drivers.container import bundle, syscalls
from ephemera.platform.drivers.container.bundle import Bind, Filter
from ephemera.platform.drivers.container.launch import WAKE, Launch
from ephemera.platform.drivers.container.users import User
from tests import needs
from tests.written_calls import Call, Written

pytestmark = needs.linux

_PDEATHSIG, _DUMPABLE, _NO_NEW_PRIVS = 1, 4, 38
_CLOEXEC = 4
_LAST = 2**32 - 1
_CGROUP = ("/outside/cpu", "/outside/memory")
_KINDS = ("user", "pid", "network", "ipc", "uts")
_NAMESPACES = {kind: f"/outside/ns/{kind}" for kind in _KINDS}
_ALL = {**_NAMESPACES, "mount": "/outside/ns/mnt", "cgroup": "/outside/ns/cgroup"}
_FLAGS = {
    "user": syscalls.CLONE_NEWUSER, "pid": syscalls.CLONE_NEWPID, "network": syscalls.CLONE_NEWNET,
    "ipc": syscalls.CLONE_NEWIPC, "uts": syscalls.CLONE_NEWUTS, "mount": syscalls.CLONE_NEWNS,
    "cgroup": syscalls.CLONE_NEWCGROUP,
}  # fmt: skip
_FILTER = base64.b64encode(bytes(16)).decode()
_APP = User(1000, 1001, (6,), "/")
#: Calls that return a descriptor.
_OPENING = {"openat", "openat2", "open_tree", "fsopen", "fsmount", "socket"}


def _process(*, tty: bool = False) -> dict[str, Any]:
    return bundle.process(["/bin/tool"], {"PATH": "/bin"}, _APP, "/work", tty=tty)


def _waiting(**more: Any) -> tuple[Written, Launch]:
    calls = Written()
    launch = Launch(calls)
    launch.wait(_CGROUP, _NAMESPACES, **{"unified": True, **more})
    return calls, launch


def _main(*, tty: bool = False) -> Written:
    """Return the way of a machine's own program."""
    calls, launch = _waiting()
    binds = [Bind("/outside/volume", "/data", ("nosuid", "nodev"))]
    config = bundle.config(
        _process(tty=tty), "/outside/root", "m1", _NAMESPACES, binds, Filter(_FILTER, {}),
        shm_mb=64, cgroup_version=2,
    )  # fmt: skip
    launch.begin(config, "console" if tty else "")
    launch.become(config["process"], _FILTER, [1, 2])
    return calls


def _visitor(*, tty: bool = False) -> Written:
    """Return the way of another program."""
    calls = Written()
    launch = Launch(calls)
    launch.visit(_CGROUP, _ALL, "/outside/nowhere", "console" if tty else "")
    launch.become(_process(tty=tty), _FILTER, [0, 1, 2])
    return calls


_WAYS = pytest.mark.parametrize("calls", [_main(), _main(tty=True), _visitor(), _visitor(tty=True)],
                                ids=["main", "main tty", "visitor", "visitor tty"])  # fmt: skip


def _entered(calls: Written) -> list[int]:
    return [one.arguments[1] for one in calls.all("setns") if isinstance(one.arguments[1], int)]


@_WAYS
class TestEveryWay:
    def test_begins_by_ending_with_its_monitor_and_holding_nothing_of_it(
        self, calls: Written
    ) -> None:
        first, second = calls.made[:2]
        assert (first.name, first.arguments[:2]) == ("prctl", (_PDEATHSIG, int(signal.SIGKILL)))
        assert (second.name, second.arguments) == ("close_range", (WAKE + 1, _LAST, 0))

    def test_is_hidden_before_it_is_anywhere_in_the_machine(self, calls: Written) -> None:
        assert calls.place("prctl", _DUMPABLE, 0) < calls.place("setns")

    def test_is_hidden_again_as_another_user_and_never_shown(self, calls: Written) -> None:
        hidden = calls.last("prctl", _DUMPABLE, 0)
        assert hidden > calls.place("setresuid", 0, 0, 0)
        between = [one.name for one in calls.made[hidden:]]
        shown = [one for one in calls.all("prctl", _DUMPABLE) if one.arguments[1]]
        assert not shown
        # only one more change of user comes, and then nothing is left to be had
        assert between.count("setresuid") == 1

    def test_has_the_limits_of_the_machine_before_it_is_in_it(self, calls: Written) -> None:
        files = [f"{one}/cgroup.procs" for one in _CGROUP]
        opened = [one.arguments[1] for one in calls.all("openat")]
        assert [one for one in opened if one in files] == files
        written = calls.all("write")
        assert [one.arguments[1:] for one in written] == [("0", 1)] * 2
        assert {one.expected for one in written} == {()}
        assert calls.last("write") < calls.place("setns")

    def test_is_in_the_process_namespace_by_a_child(self, calls: Written) -> None:
        clone = calls.place("clone")
        entered = [one.arguments[1] for one in calls.made[:clone] if one.name == "setns"]
        assert syscalls.CLONE_NEWPID in entered
        assert [one.name for one in calls.made[clone + 1 : clone + 3]] == ["exit_group", "setsid"]

    def test_is_seen_by_the_machine_when_it_has_the_machines_networks(self, calls: Written) -> None:
        seen = [
            one.arguments[1] for one in calls.made[calls.place("clone") :] if one.name == "setns"
        ]
        assert set(seen) <= {syscalls.CLONE_NEWUSER, syscalls.CLONE_NEWNS}

    def test_enters_others_with_the_rights_of_before(self, calls: Written) -> None:
        entered = [one for one in _entered(calls) if one != syscalls.CLONE_NEWNS]
        assert entered[-1] == syscalls.CLONE_NEWUSER

    def test_enters_no_namespace_that_may_be_refused(self, calls: Written) -> None:
        kinds = ("setns", "unshare", "pivot_root", "sethostname", "setresuid", "setresgid")
        assert not [one for one in calls.made if one.name in kinds and one.expected]

    def test_gives_up_rights_before_it_is_a_program(self, calls: Written) -> None:
        steps = [
            calls.said("the working folder '/work'"),
            calls.last("setresuid"),
            calls.place("capset"),
            calls.place("prctl", _NO_NEW_PRIVS, 1),
            calls.place("seccomp"),
            calls.place("execve"),
        ]
        assert steps == sorted(steps)
        assert [one.name for one in calls.made].count("seccomp") == 1
        assert calls.all("seccomp")[0].expected == ()

    def test_is_filtered_last_of_all(self, calls: Written) -> None:
        left = {one.name for one in calls.after("seccomp")}
        assert left <= {"setpriority", "faccessat", "execve", "chdir"}

    def test_leaves_nothing_open_to_the_program(self, calls: Written) -> None:
        closing = calls.place("close_range", WAKE, _LAST, _CLOEXEC)
        assert not [one for one in calls.made[closing:] if one.name in _OPENING]
        assert calls.made[closing].expected == ()

    def test_says_what_failed_of_all_that_has_a_path(self, calls: Written) -> None:
        for call in calls.made:
            if call.name in _OPENING | {"move_mount", "execve", "setns"}:
                assert call.says != call.name, call


class TestAWaitingProcess:
    def test_waits_last_and_ends_where_nobody_comes(self) -> None:
        calls, _ = _waiting()
        assert calls.names()[-2:] == ["read", "exit_group"]
        assert calls.made[-2].arguments[0] == WAKE

    def test_enters_every_namespace_of_the_machine_and_makes_the_other_two(self) -> None:
        calls = _main()
        assert sorted(_entered(calls)) == sorted(_FLAGS[one] for one in _KINDS)
        made = [one.arguments[0] for one in calls.all("unshare")]
        assert made == [syscalls.CLONE_NEWCGROUP, syscalls.CLONE_NEWNS]
        assert calls.place("unshare", syscalls.CLONE_NEWCGROUP) > calls.last("write")

    def test_does_without_a_user_namespace_where_the_machine_has_none(self) -> None:
        calls = Written()
        some = {kind: path for kind, path in _NAMESPACES.items() if kind != "user"}
        Launch(calls).wait(_CGROUP, some, unified=False)
        assert syscalls.CLONE_NEWUSER not in _entered(calls)
        assert calls.all("setresuid", 0, 0, 0)

    def test_has_the_rights_of_the_machine_only_by_the_time_it_sees_its_files(self) -> None:
        calls = _main()
        assert calls.place("setresuid", 0, 0, 0) < calls.place("unshare", syscalls.CLONE_NEWNS)


class TestAVisitor:
    def test_enters_every_namespace_and_makes_none(self) -> None:
        calls = _visitor()
        assert sorted(_entered(calls)) == sorted(_FLAGS.values())
        assert not calls.all("unshare")

    @pytest.mark.parametrize("tty", [False, True])
    def test_sees_the_machines_files_last_and_opens_nothing_of_this_computer_by_then(
        self, tty: bool
    ) -> None:
        calls = _visitor(tty=tty)
        assert _entered(calls)[-1] == syscalls.CLONE_NEWNS
        inside = calls.after("setns")
        assert not _outside(inside)
        opened = [path for one in inside if one.name in _OPENING for path in one.paths]
        assert set(opened) <= {"/dev/pts/ptmx", "/work"}
        assert ("/dev/pts/ptmx" in opened) == tty

    def test_has_no_mounts_below_its_root_when_it_is_seen_by_the_machine(self) -> None:
        calls = _visitor()
        assert calls.place("chroot", "/outside/nowhere") < calls.place("clone")

    def test_is_root_of_the_machine_and_of_nothing_else_by_then(self) -> None:
        calls = _visitor()
        mounts = calls.last("setns")
        root = (calls.place("setresuid", 0, 0, 0), calls.place("setgroups", 0))
        assert max(root) < calls.last("prctl", _DUMPABLE, 0) < mounts

    def test_goes_before_all_processes_of_the_machine_until_it_is_one(self) -> None:
        calls = _visitor()
        hurried = calls.place("setpriority", os.PRIO_PROCESS, 0, -20)
        assert hurried < calls.place("openat"), "the first is of the cgroup"
        usual = calls.last("setpriority", os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))
        assert calls.place("seccomp") < usual < calls.place("execve")


def _outside(calls: list[Call]) -> list[Call]:
    return [one for one in calls if any(path.startswith("/outside") for path in one.paths)]


def test_no_path_of_this_computer_is_used_once_the_machines_root_is_the_root() -> None:
    calls = _main()
    assert _outside(calls.made)
    assert not _outside(calls.after("pivot_root"))


def test_a_program_without_a_filter_has_none() -> None:
    calls = Written()
    Launch(calls).become(_process(), "", [])
    assert not calls.all("seccomp")
    assert calls.all("prctl", _NO_NEW_PRIVS, 1)


def test_a_program_with_a_terminal_keeps_what_the_streams_were_untouched() -> None:
    calls = _main(tty=True)
    assert not [one for one in calls.all("fchown") if one.arguments[0] in (0, 1, 2)]
