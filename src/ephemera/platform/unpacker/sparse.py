"""Files with holes: GNU's old form, and three forms in pax headers.

A map says where each portion of the stored content belongs. What is between them is zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ephemera.platform.unpacker.figures import decimal, number
from ephemera.platform.unpacker.problems import BadLayer
from ephemera.platform.unpacker.source import Source

_BLOCK = 512
_SIZES = (b"GNU.sparse.realsize", b"GNU.sparse.size")
#: Form 0.0 has its map in many records of these names, which are one map of form 0.1 together.
PORTION = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
MAP = b"GNU.sparse.map"
#: A disk image of a terabyte has fewer.
_PORTIONS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Map:
    """Where the content of a file with holes belongs."""

    size_bytes: int
    #: Offsets and lengths, in the order of the stored content.
    portions: list[tuple[int, int]]


def told(about: Mapping[bytes, bytes]) -> bool:
    """Return whether pax headers tell of holes."""
    return any(size in about for size in _SIZES)


def pax(about: Mapping[bytes, bytes], source: Source) -> tuple[bytes, Map, int]:
    """Return the name (empty where it is not another), the map, and how much was read of it.

    Raises:
        BadLayer: the map cannot be read.
    """
    name = about.get(b"GNU.sparse.name", b"")
    size = decimal(next(about[key] for key in _SIZES if key in about))
    if about.get(b"GNU.sparse.major") == b"1":
        numbers, taken = _in_content(source)
    else:
        listed = about.get(MAP, b"").split(b",")
        numbers, taken = [decimal(one) for one in listed if one], 0
    return name, _map(size, numbers), taken


def old(header: bytes, source: Source) -> Map:
    """Return the map of GNU's old form: four portions in the header, and 21 in each block after.

    Raises:
        BadLayer: the map cannot be read.
    """
    numbers = _cells(header[386:482])
    more = header[482]
    while more:
        block = source.take(_BLOCK)
        numbers += _cells(block[:504])
        more = block[504]
        _check_count(len(numbers) // 2)
    return _map(number(header[483:495]), numbers)


def _in_content(source: Source) -> tuple[list[int], int]:
    """Read the map of form 1.0, which is before the content: decimal numbers, a line each."""
    blocks, lines, wanted = [source.take(_BLOCK)], 0, 1
    while True:
        lines += blocks[-1].count(b"\n")
        if len(blocks) == 1:
            count = decimal(blocks[0].partition(b"\n")[0])
            _check_count(count)
            wanted += 2 * count
        if lines >= wanted:
            numbers = b"".join(blocks).split(b"\n", wanted)[1:wanted]
            return [decimal(one) for one in numbers], _BLOCK * len(blocks)
        blocks.append(source.take(_BLOCK))
        _check_count(len(blocks))


def _map(size: int, numbers: list[int]) -> Map:
    if len(numbers) % 2:
        raise BadLayer("it has a file with holes, and half a map of them")
    end = 0
    portions = []
    for offset, length in zip(numbers[::2], numbers[1::2], strict=True):
        if offset < end or length < 0:
            raise BadLayer("it has a file with portions that overlap")
        end = offset + length
        if length:
            portions.append((offset, length))
    if end > size:
        raise BadLayer("it has a file with portions after its end")
    return Map(size, portions)


def _cells(table: bytes) -> list[int]:
    """Return the numbers of a table; cells that are not used are empty."""
    cells = (table[at : at + 12] for at in range(0, len(table), 12))
    return [number(cell) for cell in cells if cell.strip(b"\0")]


def _check_count(count: int) -> None:
    if count > _PORTIONS_MAX:
        raise BadLayer(f"it has a file with more than {_PORTIONS_MAX} holes")
