"""The library that `crun` gets in the place of `libsystemd`, loaded by this computer's loader."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from ephemera.platform.drivers.container import libsystemd, programs
from ephemera.platform.drivers.container.assembly import ARM, X86
from tests import needs

_SYMBOLS = {"sd_notify": "LIBSYSTEMD_209", "sd_bus_call": "LIBSYSTEMD_221"}
_ENOSYS = 38
#: Says for each name and version whether it is there, and what the function returns.
_LOADED = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
find = ctypes.CDLL(None).dlvsym
find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
for word in sys.argv[2:]:
    found = find(library._handle, *word.encode().split(b"@"))
    print(ctypes.CFUNCTYPE(ctypes.c_int)(found)() if found else "none")
"""


def _loaded(library: Path, *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, library, *words], capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return done.stdout.split()


@needs.linux
@pytest.mark.skipif(
    programs.here() is None or not hasattr(ctypes.CDLL(None), "dlvsym"),
    reason="needs a loader that knows versions, and an architecture that there are programs for",
)
def test_all_that_is_wanted_is_there_in_its_version_and_refuses(tmp_path: Path) -> None:
    code = programs.here()
    assert code is not None
    library = tmp_path / libsystemd.NAME
    library.write_bytes(libsystemd.library(code, _SYMBOLS))
    words = [*map("@".join, _SYMBOLS.items()), "sd_notify@LIBSYSTEMD_221", "sd@LIBSYSTEMD_209"]
    assert _loaded(library, *words) == [f"-{_ENOSYS}", f"-{_ENOSYS}", "none", "none"]


def test_one_is_made_for_each_architecture() -> None:
    machines = [libsystemd.library(code, _SYMBOLS)[18:20] for code in (X86, ARM)]
    assert [struct.unpack("<H", one) for one in machines] == [(62,), (183,)]


@needs.crun
def test_what_crun_wants_is_found_in_it() -> None:
    wanted = libsystemd.wanted(Path(str(needs.which("crun"))).read_bytes())
    assert all(name.startswith("sd_") for name in wanted)
    assert all(version.startswith("LIBSYSTEMD_") for version in wanted.values())


_HEADER = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")


@pytest.mark.parametrize(
    "program",
    [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01\x01", _HEADER, _HEADER + bytes(48), bytes(range(64))],
)
def test_what_cannot_be_read_says_so(program: bytes) -> None:
    with pytest.raises(ValueError, match="not a program"):
        libsystemd.wanted(program)
