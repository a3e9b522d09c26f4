"""Lists of system calls, really made: by this computer, and by an emulator of the other one.

The emulator is `qemu-user-static`, which takes 400 MB on a disk and is therefore not among the
packages that tests install: where it is missing, its part is skipped.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ephemera.platform.drivers.container import calls as module
from ephemera.platform.drivers.container import programs
from ephemera.platform.drivers.container.assembly import ARM, X86, Code
from ephemera.platform.drivers.container.calls import ANY, AT_FDCWD, Calls
from tests import needs

pytestmark = needs.linux

_EMULATOR = needs.which("qemu-aarch64-static") or ""
#: What the process has open: three streams, another, the calls. So the next is 5.
_OPEN = range(programs.CALLS_FD + 1)
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_PARENT_SETTID = 0x100000
_APPENDED = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class Made(NamedTuple):
    """What came of a list."""

    code: int
    said: bytes


class Caller:
    """A program that makes the calls of a list.

    Args:
        words: How it is started.
    """

    def __init__(self, code: Code, words: list[str]) -> None:
        self.code = code
        self._words = words
        self._lists: list[Calls] = []

    def list(self) -> Calls:
        self._lists.append(Calls(self.code, _OPEN))
        return self._lists[-1]

    def end(self) -> None:
        """Close what lists have open."""
        for one in self._lists:
            one.end()
        self._lists.clear()

    def begin(self, calls: Calls, read: int, say: int, other: int | None = None) -> int:
        """Start it, and return its pid; `other` is what is open as 3, its input unless given."""
        kept = (read, say, 2, read if other is None else other, calls.fileno())
        # numbers from 0 to 4 are about to be given to others
        high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 100) for one in kept]
        try:
            given = [(os.POSIX_SPAWN_DUP2, one, as_) for as_, one in enumerate(high)]
            return os.posix_spawn(self._words[0], self._words, {}, file_actions=given)
        finally:
            for one in high:
                os.close(one)

    def make(self, calls: Calls, other: int | None = None) -> Made:
        """Have it make a list to its end, also by those whom it leaves behind."""
        nothing = os.open(os.devnull, os.O_RDONLY)
        said, say = os.pipe()
        pid = self.begin(calls, nothing, say, other)
        os.close(say)
        os.close(nothing)
        with os.fdopen(said, "rb") as file:
            text = file.read()
        return Made(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text)


def _say(calls: Calls, text: str) -> None:
    calls.add("write", 1, text, len(text))


def _end(calls: Calls, code: int = 0) -> None:
    calls.add("exit_group", code)


_HERE = pytest.param(
    X86 if programs.here() is X86 else ARM,
    id="here",
    marks=pytest.mark.skipif(programs.here() is None, reason="no programs for this architecture"),
)
_ELSEWHERE = pytest.param(
    ARM,
    id="ARM emulated",
    marks=pytest.mark.skipif(
        not _EMULATOR, reason="there is no qemu-aarch64-static: apt-get install qemu-user-static"
    ),
)


@pytest.fixture(scope="module", params=[_HERE, _ELSEWHERE])
def caller(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Caller:
    code: Code = request.param
    file = tmp_path_factory.mktemp("caller") / "caller"
    file.write_bytes(programs.caller(code))
    file.chmod(0o755)
    return Caller(code, [str(file)] if code is programs.here() else [_EMULATOR, str(file)])


@pytest.fixture(autouse=True)
def closed(caller: Caller) -> Iterator[None]:
    yield
    caller.end()


@pytest.fixture
def calls(caller: Caller) -> Iterator[Calls]:
    made = caller.list()
    yield made
    made.end()


class TestOneAfterTheOther:
    def test_calls_are_made_in_their_order(self, caller: Caller, calls: Calls) -> None:
        for word in ("one ", "two ", "three"):
            _say(calls, word)
        _end(calls, 7)
        assert caller.make(calls) == (7, b"one two three")
        assert calls.failure == ""
        assert calls.pid == 0

    def test_texts_and_bytes_of_any_size_arrive_whole(self, caller: Caller, calls: Calls) -> None:
        pieces = [bytes([size % 251]) * size for size in (1, 7, 8, 9, 63, 4095, 4096, 4097, 30_000)]
        for piece in pieces:
            calls.add("write", 1, piece, len(piece))
            _say(calls, "|")
        _end(calls)
        assert caller.make(calls).said == b"".join(piece + b"|" for piece in pieces)

    def test_paths_need_not_be_text(self, caller: Caller, calls: Calls, tmp_path: Path) -> None:
        path = os.fsdecode(os.fsencode(tmp_path) + b"/odd \xff\n")
        calls.make_file(path)
        _end(calls)
        assert caller.make(calls).code == 0
        assert [os.fsencode(one.name) for one in tmp_path.iterdir()] == [b"odd \xff\n"]

    @pytest.mark.parametrize("place", [2, 3, 4])
    def test_every_argument_arrives(self, caller: Caller, calls: Calls, place: int) -> None:
        """The kernel takes this call only if all that follow the second are 0."""
        arguments = [_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]
        calls.add("prctl", *arguments)
        _say(calls, "taken")
        arguments[place] = 1 << 40
        calls.add("prctl", *arguments, what="refused")
        assert caller.make(calls) == (1, b"taken")
        assert calls.failure == "refused: Invalid argument"

    def test_nothing_and_numbers_below_zero_are_arguments(
        self, caller: Caller, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        calls.add("mkdirat", AT_FDCWD, "folder", 0o755)
        calls.add("write", 1, None, 1, what="from nowhere")
        assert caller.make(calls).code == 1
        assert calls.failure == "from nowhere: Bad address"
        assert (tmp_path / "folder").is_dir()

    def test_a_list_can_be_longer_by_the_time_it_goes_on(
        self, caller: Caller, calls: Calls
    ) -> None:
        wait, wake = os.pipe()
        said, say = os.pipe()
        calls.add("read", 0, b"\0", 1, over_more=1)
        _end(calls, 9)
        pid = caller.begin(calls, wait, say)
        os.close(wait)
        os.close(say)
        _say(calls, "later")
        _end(calls, 3)
        os.write(wake, b"g")
        os.close(wake)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
        assert os.read(said, 100) == b"later"
        os.close(said)

    def test_it_ends_where_there_is_no_memory_with_calls(self, caller: Caller) -> None:
        with Path(os.devnull).open() as nothing:
            words = caller._words
            given = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), programs.CALLS_FD)]
            pid = os.posix_spawn(words[0], words, {}, file_actions=given)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


#: Calls that fail, by the number of the error: of the lower and of the upper half of a mask.
_WRONG: dict[int, tuple[str, int | str]] = {
    errno.ENOENT: ("chdir", "/none"),
    errno.ENOTDIR: ("fchdir", 0),
    errno.ENAMETOOLONG: ("chdir", "x" * 300),
}


class TestAFailure:
    def test_ends_it_and_is_named(self, caller: Caller, calls: Calls) -> None:
        _say(calls, "before")
        calls.add("openat", AT_FDCWD, "/none", os.O_RDONLY, what="the file '/none'")
        _say(calls, "after")
        _end(calls)
        assert caller.make(calls) == (1, b"before")
        assert calls.failure == "the file '/none': No such file or directory"

    def test_is_named_by_its_call_where_nothing_else_is_said(
        self, caller: Caller, calls: Calls
    ) -> None:
        calls.add("fchdir", 0)
        assert caller.make(calls).code == 1
        assert calls.failure == "fchdir: Not a directory"

    def test_may_have_words_of_its_own(self, caller: Caller, calls: Calls) -> None:
        calls.add("chdir", "", refusal="nothing is there")
        assert caller.make(calls).code == 1
        assert calls.failure == "nothing is there"

    def test_that_is_expected_is_none(self, caller: Caller, calls: Calls) -> None:
        calls.add("mkdirat", AT_FDCWD, "/", 0, expected=(errno.ENOENT, errno.EEXIST))
        calls.add("chdir", "/none", expected=(errno.ENOENT,))
        _say(calls, "went on")
        calls.add("chdir", "/none", expected=(errno.EEXIST, errno.EPERM), what="folder")
        assert caller.make(calls) == (1, b"went on")
        assert calls.failure == "folder: No such file or directory"

    @pytest.mark.parametrize(("number", "call"), _WRONG.items())
    def test_is_expected_by_its_number_and_no_other(
        self, caller: Caller, number: int, call: tuple[str, int | str]
    ) -> None:
        others = [one for one in range(1, 64) if one != number]
        for expected, code in (((number,), 0), (others, 1)):
            calls = caller.list()
            calls.add(*call, expected=expected)
            _end(calls)
            assert caller.make(calls).code == code
            calls.end()

    def test_above_63_is_not_one_of_those_that_are_expected_below(
        self, caller: Caller, calls: Calls
    ) -> None:
        """`ENOTSOCK` is 88, and `EMFILE` is 24, which is the same in the last six bits."""
        assert errno.ENOTSOCK % 64 == errno.EMFILE
        calls.add("connect", 0, b"\0" * 8, 8, expected=(errno.EMFILE,), what="socket")
        _end(calls)
        assert caller.make(calls).code == 1
        assert calls.failure == f"socket: {os.strerror(errno.ENOTSOCK)}"

    def test_of_any_kind_may_be_expected(self, caller: Caller, calls: Calls) -> None:
        calls.add("connect", 0, b"\0" * 8, 8, expected=ANY)
        calls.add("chdir", "/none", expected=ANY)
        _end(calls, 4)
        assert caller.make(calls).code == 4
        assert calls.failure == ""

    def test_in_a_child_is_told_too(self, caller: Caller, calls: Calls) -> None:
        _go_on_in_a_child(calls)
        calls.add("chdir", "/none", what="the child's folder")
        caller.make(calls)
        assert calls.pid > 0
        assert calls.failure == "the child's folder: No such file or directory"


class TestPassingOver:
    """`write` returns how much it wrote, so a call says 0 or more as one likes."""

    def _list(self, calls: Calls, size: int, over_zero: int, over_more: int) -> None:
        calls.add("write", 1, b"wrote ", size, over_zero=over_zero, over_more=over_more)
        for word in ("a", "b", "c"):
            _say(calls, word)
        _end(calls)

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_where_it_says_zero(self, caller: Caller, calls: Calls, count: int) -> None:
        self._list(calls, 0, over_zero=count, over_more=3)
        assert caller.make(calls).said == b"abc"[count:]

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_where_it_says_more(self, caller: Caller, calls: Calls, count: int) -> None:
        self._list(calls, 6, over_zero=3, over_more=count)
        assert caller.make(calls).said == b"wrote " + b"abc"[count:]

    def test_never_where_it_fails_and_may(self, caller: Caller, calls: Calls) -> None:
        calls.add("chdir", "/none", expected=(errno.ENOENT,), over_zero=1, over_more=2)
        for word in ("a", "b", "c"):
            _say(calls, word)
        _end(calls)
        assert caller.make(calls).said == b"abc"


def _go_on_in_a_child(calls: Calls) -> None:
    """Have a child go on with the list, and its parent end."""
    flags = _CLONE_PARENT_SETTID | int(signal.SIGCHLD)
    calls.add("clone", flags, 0, calls.pid_place, 0, 0, over_zero=1)
    _end(calls, 5)


def test_a_child_goes_on_with_the_list_and_its_number_is_told(caller: Caller, calls: Calls) -> None:
    _say(calls, "parent ")
    _go_on_in_a_child(calls)
    _say(calls, "child")
    _end(calls)
    assert caller.make(calls) == (5, b"parent child")
    assert calls.pid > 0
    assert calls.failure == ""


class TestDescriptors:
    def test_are_those_that_the_kernel_gives_out(
        self, caller: Caller, calls: Calls, tmp_path: Path
    ) -> None:
        def opened(name: str) -> int:
            path = str(tmp_path / name)
            return calls.open("openat", AT_FDCWD, path, _APPENDED, 0o644)

        first, second = opened("first"), opened("second")
        assert (first, second) == (5, 6)
        calls.close(first)
        third, fourth = opened("third"), opened("fourth")
        assert (third, fourth) == (5, 7)
        calls.close(3)
        assert opened("fifth") == 3
        for name, one in (("second", second), ("third", third), ("fourth", fourth), ("fifth", 3)):
            calls.add("write", one, name, len(name))
        _end(calls)
        assert caller.make(calls).code == 0
        found = {one.name: one.read_text() for one in tmp_path.iterdir()}
        assert found.pop("first") == ""
        assert found == {name: name for name in ("second", "third", "fourth", "fifth")}

    def test_of_a_socket_can_be_sent_on(self, caller: Caller, calls: Calls) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            calls.add("write", 3, "hello", 5)
            _end(calls)
            assert caller.make(calls, theirs.fileno()).code == 0
            assert ours.recv(5) == b"hello"

    def test_a_file_is_made_and_nothing_is_followed_or_emptied(
        self, caller: Caller, calls: Calls, tmp_path: Path
    ) -> None:
        link, target = tmp_path / "link", tmp_path / "target"
        link.symlink_to(target)
        calls.make_file(str(tmp_path / "file"))
        calls.make_file(str(link))
        assert caller.make(calls).code == 1
        assert calls.failure == f"{link}: File exists"
        assert (tmp_path / "file").read_bytes() == b""
        assert not target.exists()


def _until_full(add: Callable[[], object]) -> int:
    """Return how many times something can be done."""
    count = 0
    while True:
        try:
            add()
        except OSError as error:
            if error.errno != errno.E2BIG:
                raise
            return count
        count += 1


class TestTooMuch:
    def test_calls_are_refused_and_the_list_stays_as_it_was(
        self, caller: Caller, calls: Calls
    ) -> None:
        _say(calls, "all")
        _end(calls, 8)
        assert _until_full(lambda: calls.add("umask", 0)) > 1000
        assert _until_full(lambda: _say(calls, "lost")) == 0
        assert caller.make(calls) == (8, b"all")

    def test_words_are_refused_and_what_was_there_is_whole(
        self, caller: Caller, calls: Calls
    ) -> None:
        _say(calls, "begun ")
        assert _until_full(lambda: calls.put(b"x" * 100_000)) > 30
        with pytest.raises(OSError, match="too long") as caught:
            calls.add("chdir", "y" * 100_000)
        assert caught.value.errno == errno.E2BIG
        _say(calls, "ended")
        _end(calls, 6)
        assert caller.make(calls) == (6, b"begun ended")


def test_memory_is_given_up_once(calls: Calls) -> None:
    number = calls.fileno()
    calls.end()
    calls.end()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


class TestPartsOfLists:
    """What is in many lists is put together once."""

    @pytest.fixture(autouse=True)
    def alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_parts", {})
        monkeypatch.setattr(module, "_next_part", module._PARTS_AT)

    def test_are_made_in_every_list_and_written_in_the_first(self, caller: Caller) -> None:
        written = []
        for number in range(3):
            calls = caller.list()
            _say(calls, f"{number}: ")

            def write(calls: Calls = calls) -> int:
                written.append(1)
                _say(calls, "a part ")
                _say(calls, "of two")
                return 1

            assert calls.part("said", write) == len(written) == 1
            _say(calls, ".")
            _end(calls)
            assert caller.make(calls) == (0, f"{number}: a part of two.".encode())

    def test_are_told_apart_by_what_they_depend_on(self, caller: Caller) -> None:
        for text in ("one", "other", "one"):
            calls = caller.list()
            calls.part(text, lambda calls=calls, text=text: _say(calls, text))  # type: ignore[misc]
            _end(calls)
            assert caller.make(calls) == (0, text.encode())

    def test_leave_the_descriptors_that_they_open(self, caller: Caller) -> None:
        for is_open in (False, True, False, True):
            calls = caller.list()
            if is_open:
                calls.open("openat", AT_FDCWD, "/dev/null", os.O_RDONLY)

            def write(calls: Calls = calls) -> None:
                for _ in range(2):
                    calls.open("openat", AT_FDCWD, "/dev/null", os.O_RDONLY)
                calls.close(programs.CALLS_FD + 1)

            calls.part("open", write)
            assert calls.open("openat", AT_FDCWD, "/", os.O_RDONLY) == programs.CALLS_FD + 1
            calls.add("fchdir", programs.CALLS_FD + 1)
            _end(calls)
            assert caller.make(calls) == (0, b"")

    def test_say_which_call_failed(self, caller: Caller) -> None:
        for before in range(3):
            calls = caller.list()
            for _ in range(before):
                _say(calls, ".")
            calls.part(
                "fails",
                lambda calls=calls: calls.add("chdir", "/nowhere", what="the way"),  # type: ignore[misc]
            )
            assert caller.make(calls) == (1, b"." * before)
            assert calls.failure == "the way: No such file or directory"

    def test_are_written_anew_where_many_are_kept(self, caller: Caller) -> None:
        for number in range(30):
            calls, text = caller.list(), f"{number}".ljust(2000)
            calls.part(number, lambda calls=calls, text=text: _say(calls, text))  # type: ignore[misc]
            _end(calls)
            assert caller.make(calls) == (0, text.encode())
        assert 10 < len(module._parts) < 30

    def test_that_cannot_be_written_are_not_kept(self, caller: Caller) -> None:
        def fail() -> None:
            raise KeyError("half")

        calls = caller.list()
        with pytest.raises(KeyError):
            calls.part("fails", fail)
        calls.part("fails", lambda: _say(calls, "whole"))
        _end(calls)
        assert caller.make(calls) == (0, b"whole")
