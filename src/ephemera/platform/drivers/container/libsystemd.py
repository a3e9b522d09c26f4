"""A `libsystemd` with nothing in it, for `crun`.

Debian's `crun` is linked with that library for its cgroup manager, which is not used here (see
`crun`), and with it come five others. To load them, and to copy and forget their pages in each
of the processes that `crun` is on its way, takes it a quarter of its time. What is made here has
the names that `crun` looks for, in the versions that it wants; whoever calls one is told that
there is no such function.

Where `crun` wants no such library, or cannot be read, there is none. Standard library only.

Source: the System V ABI on ELF, and for versions of symbols the Linux Standard Base, part
"Symbol Versioning".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ephemera.platform.drivers.container.assembly import Code

#: The file that `crun` asks for.
NAME = "libsystemd.so.0"

_MAGIC = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian
_FILE_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_NEED, _NEEDED_VERSION = struct.Struct("<HHIII"), struct.Struct("<IHHII")
_VERSION, _VERSION_NAME = struct.Struct("<HHHHIII"), struct.Struct("<II")
_ENTRY = struct.Struct("<QQ")
_DYNAMIC_SYMBOLS, _SYMBOLS_VERSIONS, _VERSIONS_NEEDED = 11, 0x6FFFFFFF, 0x6FFFFFFE
_HIDDEN = 0x8000
_LIBRARY, _PAGE = 3, 0x1000
_LOAD, _DYNAMIC, _STACK = 1, 2, 0x6474E551
_READ, _WRITE, _EXECUTE = 4, 2, 1
#: The loader asks here first for each name of `crun` and of its other libraries, some hundreds, and
#: is to find an empty heap for most.
_HEAPS = 509


class _Section(NamedTuple):
    """A section of a file, and the texts that it has places in."""

    data: bytes
    texts: bytes

    def text(self, place: int) -> str:
        return self.texts[place : self.texts.index(b"\0", place)].decode()


def wanted(program: bytes) -> dict[str, str]:
    """Return the names that a program looks for in `libsystemd`, each with its version.

    Raises:
        ValueError: it is no program of 64 bits, or not one that tells.
    """
    try:
        found = _sections(program)
        versions = _versions(found[_VERSIONS_NEEDED])
        symbols, of_symbols = found[_DYNAMIC_SYMBOLS], found[_SYMBOLS_VERSIONS].data
        numbers = (number & ~_HIDDEN for (number,) in struct.iter_unpack("<H", of_symbols))
        names = (symbols.text(place) for place, *_ in _SYMBOL.iter_unpack(symbols.data))
        return {
            name: versions[number]
            for name, number in zip(names, numbers, strict=True)
            if number in versions
        }
    except (struct.error, KeyError, IndexError) as error:
        raise ValueError(f"not a program that can be read: {error!r}") from error


def _sections(program: bytes) -> dict[int, _Section]:
    """Return the sections of each kind, the last of each."""
    if not program.startswith(_MAGIC):
        raise ValueError("not a program of 64 bits")
    header = _FILE_HEADER.unpack_from(program)
    begin, size, count = header[6], header[11], header[12]
    rows = [_SECTION.unpack_from(program, begin + size * number) for number in range(count)]
    contents = [program[row[4] : row[4] + row[5]] for row in rows]
    return {
        row[1]: _Section(data, contents[row[6]] if row[6] < count else b"")
        for row, data in zip(rows, contents, strict=True)
    }


def _versions(needed: _Section) -> dict[int, str]:
    """Return the versions that are wanted of `libsystemd`, by their numbers in the program."""
    place, found = 0, dict[int, str]()
    while True:
        _, count, file, first, ahead = _NEED.unpack_from(needed.data, place)
        at = place + first
        for _ in range(count):
            _, _, number, name, further = _NEEDED_VERSION.unpack_from(needed.data, at)
            if needed.text(file) == NAME:
                found[number] = needed.text(name)
            at += further
        if not ahead:
            return found
        place += ahead


class _Texts:
    """Texts behind each other, each known by its place."""

    def __init__(self) -> None:
        self.bytes = b"\0"

    def add(self, text: str) -> int:
        place = len(self.bytes)
        self.bytes += text.encode() + b"\0"
        return place


def library(code: Code, symbols: Mapping[str, str]) -> bytes:
    """Return a library that has these symbols, in these versions, and does nothing."""
    texts = _Texts()
    name = texts.add(NAME)
    versions = sorted(set(symbols.values()))
    places = [texts.add(one) for one in symbols]
    defined = b"".join(_defined(versions, name, texts))
    numbers = [0, *(versions.index(one) + 2 for one in symbols.values())]
    function = _FILE_HEADER.size + 4 * _SEGMENT.size
    # undefined, then all of them; global functions, in a section whose number nobody looks up
    rows = [bytes(_SYMBOL.size), *(_SYMBOL.pack(at, 0x12, 0, 1, function, 8) for at in places)]
    count = len(rows)
    parts = [
        (6, b"".join(rows)),
        (4, _table(["", *symbols])),
        (0x6FFFFFF0, struct.pack(f"<{count}H", *numbers)),
        (0x6FFFFFFC, defined),
        (5, texts.bytes),
    ]
    body, found = _laid(code.refuse.ljust(16, b"\0"), function, parts)
    more = [(14, name), (10, len(texts.bytes)), (11, _SYMBOL.size), (0x6FFFFFFD, len(versions) + 1)]
    dynamic = b"".join(_ENTRY.pack(*one) for one in (*found, *more, (0, 0)))
    return _file(code, body, dynamic)


def _table(names: list[str]) -> bytes:
    """Return the table by which names are found: where each heap begins, and goes on."""
    heaps, further = [0] * _HEAPS, [0] * len(names)
    for number, name in enumerate(names[1:], 1):
        heap = _hash(name) % _HEAPS
        further[number], heaps[heap] = heaps[heap], number
    words = (_HEAPS, len(names), *heaps, *further)
    return struct.pack(f"<{len(words)}I", *words)


def _defined(versions: list[str], library_name: int, texts: _Texts) -> Iterator[bytes]:
    """Yield the versions that the library has; the first is the library itself."""
    rows = [(NAME, library_name, 1), *((one, texts.add(one), 0) for one in versions)]
    size = _VERSION.size + _VERSION_NAME.size
    for number, (text, place, flags) in enumerate(rows, 1):
        ahead = size if number < len(rows) else 0
        yield _VERSION.pack(1, flags, number, 1, _hash(text), _VERSION.size, ahead)
        yield _VERSION_NAME.pack(place, 0)


def _hash(text: str) -> int:
    value = 0
    for one in text.encode():
        value = (value << 4) + one
        high = value & 0xF0000000
        value = (value ^ high >> 24) & ~high
    return value


def _laid(
    body: bytes, begin: int, parts: list[tuple[int, bytes]]
) -> tuple[bytes, list[tuple[int, int]]]:
    """Lay parts behind each other; return all of it, and where each is, by its tag."""
    found = list[tuple[int, int]]()
    for tag, data in parts:
        body += bytes(-(begin + len(body)) % 8)
        found.append((tag, begin + len(body)))
        body += data
    return body, found


def _file(code: Code, body: bytes, dynamic: bytes) -> bytes:
    """Return a library: what is only read, and in a page of its own what the loader writes to."""
    identity = _MAGIC.ljust(16, b"\0")
    read = _FILE_HEADER.size + 4 * _SEGMENT.size + len(body)
    written = read + -read % _PAGE
    size = len(dynamic)
    header = _FILE_HEADER.pack(
        identity, _LIBRARY, code.machine, 1, 0, _FILE_HEADER.size, 0, 0,
        _FILE_HEADER.size, _SEGMENT.size, 4, _SECTION.size, 0, 0,
    )  # fmt: skip
    segments = (
        (_LOAD, _READ | _EXECUTE, 0, 0, 0, read, read, _PAGE),
        (_LOAD, _READ | _WRITE, written, written, written, size, size, _PAGE),
        (_DYNAMIC, _READ | _WRITE, written, written, written, size, size, 8),
        (_STACK, _READ | _WRITE, 0, 0, 0, 0, 0, 16),
    )
    head = header + b"".join(_SEGMENT.pack(*one) for one in segments)
    return (head + body).ljust(written, b"\0") + dynamic
