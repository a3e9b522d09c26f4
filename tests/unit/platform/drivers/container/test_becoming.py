"""What a process gives up before it is a program of a machine, as a list and without a kernel."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.drivers.container import becoming, bundle
from ephemera.platform.drivers.container.users import User
from ephemera.platform.drivers.monitoring.program import NotStarted
from tests import needs
from tests.written_calls import Written

pytestmark = needs.proc

_DROP, _NO_NEW_PRIVS, _AMBIENT = 24, 38, 47
_CONTROLLING_TERMINAL, _PEER = 0x540E, 0x5441
_ROOT, _APP = User(0, 0, (), "/"), User(1000, 1001, (6, 29), "/")
#: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw,
#: sys_chroot, setfcap.
_KEPT = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 31}


def _process(user: User, **more: Any) -> dict[str, Any]:
    return bundle.process(["true"], {}, user, "/", **{"tty": False, **more})


def _given_up(user: User) -> Written:
    calls, process = Written(), _process(user)
    becoming.give_up_rights(calls, process["capabilities"], process["user"])
    return calls


class TestRights:
    @pytest.mark.parametrize("user", [_ROOT, _APP])
    def test_every_capability_is_dropped_that_is_not_in_the_list(self, user: User) -> None:
        dropped = {one.arguments[1] for one in _given_up(user).all("prctl", _DROP)}
        last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
        assert dropped == set(range(last + 1)) - _KEPT

    @pytest.mark.parametrize(("user", "kept"), [(_ROOT, _KEPT), (_APP, set())])
    def test_only_root_keeps_those_in_it_and_no_program_inherits_any(
        self, user: User, kept: set[int]
    ) -> None:
        (found,) = _given_up(user).all("capset")
        head, sets = found.arguments
        assert isinstance(head, bytes)
        assert isinstance(sets, bytes)
        assert struct.unpack("=Ii", head) == (0x20080522, 0)
        bits = sum(1 << one for one in kept)
        low, high = bits & 0xFFFFFFFF, bits >> 32
        assert struct.unpack("=6I", sets) == (low, low, 0, high, high, 0)

    def test_a_capability_that_has_no_number_here_is_an_error(self) -> None:
        process = _process(_ROOT)
        wanted = {kind: ["CAP_UNHEARD_OF"] for kind in process["capabilities"]}
        with pytest.raises(ValueError, match="not in"):
            becoming.give_up_rights(Written(), wanted, process["user"])

    @pytest.mark.parametrize("user", [_ROOT, _APP])
    def test_groups_go_first_then_the_user_then_what_is_left(self, user: User) -> None:
        calls = _given_up(user)
        steps = [
            calls.last("prctl", _DROP),
            calls.place("setgroups", len(user.groups)),
            calls.place("setresgid", user.gid, user.gid, user.gid),
            calls.place("setresuid", user.uid, user.uid, user.uid),
            calls.place("capset"),
            calls.place("prctl", _AMBIENT, 4),
            calls.place("prctl", _NO_NEW_PRIVS, 1),
        ]
        assert steps == sorted(steps)
        assert steps[-1] == len(calls.made) - 1

    @pytest.mark.parametrize("user", [_ROOT, _APP])
    def test_nothing_of_this_may_fail_but_for_what_is_not_there(self, user: User) -> None:
        calls = _given_up(user)
        expected = {one: one.expected for one in calls.made if one.expected}
        if not user.groups:  # nobody's groups are changed where that is not allowed
            assert expected.pop(calls.all("setgroups", 0)[0]) == (errno.EPERM,)
        assert not expected

    def test_a_user_has_the_groups_of_the_list_and_no_others(self) -> None:
        (some,) = _given_up(_APP).all("setgroups")
        assert some.arguments == (2, struct.pack("=2I", 6, 29))
        (none,) = _given_up(_ROOT).all("setgroups")
        assert none.arguments == (0, None)


class TestStreams:
    def test_those_that_are_pipes_belong_to_the_user(self) -> None:
        calls = Written()
        becoming.have_streams(calls, [1, 2], _process(_APP)["user"])
        assert [one.arguments for one in calls.made] == [(1, 1000, 1001), (2, 1000, 1001)]

    def test_others_are_left_alone(self) -> None:
        """They may be files of this computer, as `/dev/null` is."""
        calls = Written()
        becoming.have_streams(calls, [], _process(_APP)["user"])
        assert calls.made == []


class TestATerminal:
    @pytest.mark.parametrize("first", [True, False])
    def test_is_the_machines_and_the_users_and_all_streams(self, first: bool) -> None:
        calls = Written()
        becoming.have_terminal(calls, 3, 1000, first=first)
        assert calls.all("openat")[0].arguments[1] == "/dev/pts/ptmx"
        (peer,) = calls.all("ioctl", 4, _PEER)
        assert all(isinstance(one, int) for one in peer.arguments), "by no path of the machine"
        theirs = calls.all("dup3")
        assert [one.arguments for one in theirs] == [(5, 0, 0), (5, 1, 0), (5, 2, 0)]
        assert calls.all("fchown")[0].arguments[:2] == (5, 1000)
        assert calls.place("ioctl", 5, _CONTROLLING_TERMINAL) > calls.place("ioctl", 4, _PEER)

    def test_is_told_of_when_it_is_ready(self) -> None:
        calls = Written()
        becoming.have_terminal(calls, 3, 0, first=True)
        assert calls.names()[-1] == "sendmsg"
        assert calls.made[-1].arguments[0] == 3

    def test_of_the_first_program_is_the_machines_console(self) -> None:
        first, other = Written(), Written()
        becoming.have_terminal(first, 3, 0, first=True)
        becoming.have_terminal(other, 3, 0, first=False)
        assert first.all("mount")[0].arguments[:2] == ("/dev/pts/0", "/dev/console")
        assert not other.all("mount")

    def test_leaves_no_other_end_open_to_the_program(self) -> None:
        calls = Written()
        becoming.have_terminal(calls, 3, 0, first=True)
        for call, place in ((calls.all("openat")[0], 2), (calls.all("ioctl", 4, _PEER)[0], 2)):
            flags = call.arguments[place]
            assert isinstance(flags, int)
            assert flags & os.O_CLOEXEC


def _executed(*command: str, env: list[str]) -> Written:
    calls = Written()
    becoming.execute(calls, command, env)
    return calls


class TestTheProgram:
    def test_is_looked_for_in_the_folders_of_its_path_in_order(self) -> None:
        calls = _executed("tool", env=["A=PATH=/no", "PATH=/a:/b/:/c", "PATH=/late"])
        assert [one.arguments[0] for one in calls.all("execve")] == [
            "/a/tool",
            "/b/tool",
            "/c/tool",
        ]

    def test_is_looked_for_in_the_usual_folders_where_it_has_no_path(self) -> None:
        found = [one.arguments[0] for one in _executed("tool", env=[]).all("execve")]
        assert found == [f"{one}/tool" for one in os.defpath.split(":")]

    def test_is_looked_for_further_only_where_it_is_not(self) -> None:
        for call in _executed("tool", env=["PATH=/a:/b"]).all("execve"):
            assert set(call.expected) == {errno.ENOENT, errno.EACCES, errno.ENOTDIR}

    def test_that_is_nowhere_is_an_error_whatever_was_tried(self) -> None:
        last = _executed("tool", env=["PATH=/a"]).made[-1]
        assert (last.name, last.arguments, last.expected) == ("chdir", ("",), ())
        assert last.says == "command 'tool' not found in PATH"

    @pytest.mark.parametrize("name", ["/bin/tool", "./tool", "bin/tool"])
    def test_that_is_a_path_is_that_path(self, name: str) -> None:
        calls = _executed(name, env=["PATH=/a:/b"])
        assert [one.arguments[0] for one in calls.all("execve")] == [name]
        assert calls.all("execve")[0].expected == ()
        (looked,) = calls.all("faccessat")
        assert looked.says == f"command '{name}' does not exist"
        assert errno.ENOENT not in looked.expected
        assert errno.EACCES in looked.expected, "it is said why it is not executed"

    def test_has_its_words_and_variables_as_they_are(self) -> None:
        words = ("/x", "", "é", "a b", "\udcff", "x" * 10_001)
        call = _executed(*words, env=["A=1", "B=", "odd"]).all("execve")[0]
        _, given, variables = call.arguments
        calls = _executed(*words, env=["A=1", "B=", "odd"])
        assert calls.texts(given) == [os.fsencode(one) for one in words]
        assert calls.texts(variables) == [b"A=1", b"B=", b"odd"]

    def test_that_is_told_more_than_fits_is_an_error(self) -> None:
        with pytest.raises(NotStarted, match=r"command '/x' cannot be executed: .* too long"):
            _executed("/x", *("y" * 100_000 for _ in range(50)), env=[])
        with pytest.raises(NotStarted, match=r"command 'x' cannot be executed: .* too long"):
            _executed("x", env=["PATH=" + ":".join(["/bin"] * 2000)])


def test_files_that_a_program_may_have_open_are_limited() -> None:
    calls = Written()
    becoming.be_limited(calls, _process(_ROOT)["rlimits"])
    (found,) = calls.made
    limit = found.arguments[2]
    assert isinstance(limit, bytes)
    soft, hard = struct.unpack("=2Q", limit)
    assert 0 < soft == hard <= 65536
    assert found.expected == ()
