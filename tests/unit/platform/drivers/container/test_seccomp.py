"""The compiled filter of system calls, executed call by call as the kernel would."""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import errno
import platform
import socket
import struct
from typing import Final

import pytest

from ephemera.platform.drivers.container import seccomp

_ALLOW, _NO_SUCH_CALL = 0x7FFF0000, 0x00050000 | errno.ENOSYS
_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _AND, _RETURN, _GO = 0x20, 0x54, 0x06, 0x05
_NUMBERS_MAX = 700

pytestmark = pytest.mark.skipif(
    not ctypes.util.find_library("seccomp") or platform.machine() not in _ARCHITECTURES,
    reason="needs libseccomp",
)


class _Filter:
    """What the kernel takes: instructions of four fields."""

    def __init__(self, compiled: str) -> None:
        self._code = list(struct.iter_unpack("<HBBI", base64.b64decode(compiled)))
        self.steps = 0

    def says(self, number: int, first: int = 0, architecture: int | None = None) -> int:
        """Return what becomes of a system call with a first argument."""
        known = _ARCHITECTURES[platform.machine()] if architecture is None else architecture
        call = struct.pack("<IIQ6Q", number, known, 0, first, *(0,) * 5)
        place, value = 0, 0
        while True:
            kind, if_so, if_not, given = self._code[place]
            place += 1
            self.steps += 1
            if kind == _RETURN:
                return int(given)
            if kind == _LOAD:
                (value,) = struct.unpack_from("<I", call, given)
            elif kind == _AND:
                value &= given
            elif kind == _GO:
                place += given
            else:
                so = {0x15: value == given, 0x25: value > given, 0x35: value >= given}[kind]
                place += if_so if so else if_not


@pytest.fixture(scope="module")
def filter_() -> _Filter:
    return _Filter(seccomp.compiled())


def _number(name: str) -> int:
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"))
    return int(library.seccomp_syscall_resolve_name(name.encode()))


def test_calls_on_the_list_pass_and_no_others(filter_: _Filter) -> None:
    names = {one for rule in seccomp.section()["syscalls"] if not rule.get("args")
             for one in rule["names"]}  # fmt: skip
    allowed = set(map(_number, names))
    by_argument = {_number("clone"), _number("socket")}
    said = {one: filter_.says(one) for one in range(_NUMBERS_MAX) if one not in by_argument}
    assert {one for one, answer in said.items() if answer == _ALLOW} == {
        one for one in allowed if 0 <= one < _NUMBERS_MAX
    }
    assert set(said.values()) == {_ALLOW, _NO_SUCH_CALL}


def test_the_kernel_need_not_go_through_all_of_it_for_one_call(filter_: _Filter) -> None:
    filter_.steps = 0
    for number in range(_NUMBERS_MAX):
        filter_.says(number)
    assert filter_.steps < 30 * _NUMBERS_MAX


@pytest.mark.parametrize(
    ("family", "passes"),
    [(socket.AF_UNIX, True), (socket.AF_INET6, True), (16, True), (40, False), (38, False)],
)
def test_sockets_are_of_some_families_only(filter_: _Filter, family: int, passes: bool) -> None:
    assert (filter_.says(_number("socket"), family) == _ALLOW) is passes


@pytest.mark.parametrize("flags", [0x10000000, 0x20000, 0x40000000, 0x7E020000])
def test_clone_makes_no_namespaces(filter_: _Filter, flags: int) -> None:
    assert filter_.says(_number("clone"), flags | 17) == _NO_SUCH_CALL
    assert filter_.says(_number("clone"), 17) == _ALLOW


def test_calls_of_another_architecture_do_not_pass(filter_: _Filter) -> None:
    assert filter_.says(_number("read"), architecture=0x40000003) != _ALLOW
