"""Tar archives, entry by entry: ustar, pax, GNU's long names, and all ways to be sparse.

Source: POSIX.1-2017 `pax`; https://www.gnu.org/software/tar/manual/html_node/Standard.html;
https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html

Not `tarfile`: it is three times as slow for each entry, and believes what a header says about its
own size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ephemera.platform.unpacker import sparse
from ephemera.platform.unpacker.figures import decimal, number
from ephemera.platform.unpacker.problems import BadLayer
from ephemera.platform.unpacker.source import Source

BLOCK = 512
FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, FOLDER, FIFO = b"0123456"
_OLD_FILE, _CONTIGUOUS, _SPARSE = b"\0"[0], b"7"[0], b"S"[0]
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK = b"xgLK"
_ZEROS = bytes(BLOCK)

#: Of one header about an entry, and of all of them together, which are kept in memory: names are at
#: most 4 KB, and xattrs at most 64 KB each.
_ABOUT_MAX_BYTES = 4 * 1024 * 1024
_XATTR = b"SCHILY.xattr."


@dataclass(slots=True)
class Entry:
    """One entry; its content comes next in the source."""

    name: str
    kind: int
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime_ns: int = 0
    link: str = ""
    #: Of its content in the archive; bytes.
    stored_bytes: int = 0
    xattrs: Mapping[str, bytes] = field(default_factory=dict)
    #: Where the stored content belongs, as offsets and lengths; None where it is all there.
    holes: sparse.Map | None = None

    @property
    def padding(self) -> int:
        """How many bytes come after the content."""
        return -self.stored_bytes % BLOCK


def entries(source: Source) -> Iterator[Entry]:
    """Yield the entries; whoever has one must take its content and padding before the next.

    Raises:
        BadLayer: it is not a tar archive, or one that ends in the middle.
    """
    defaults: dict[bytes, bytes] = {}
    about: dict[bytes, bytes] = {}
    while not source.at_end():
        header = source.take(BLOCK)
        if header == _ZEROS:
            return
        kind = header[156]
        if kind in (_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK):
            known = defaults if kind == _PAX_GLOBAL else about
            known.update(_about(header, source, kind))
            _check_size(sum(len(key) + len(value) for key, value in known.items()))
            continue
        yield _entry(header, {**defaults, **about} if defaults else about, source)
        about = {}
    if about:
        raise BadLayer("its archive ends in the middle")


def _about(header: bytes, source: Source, kind: int) -> dict[bytes, bytes]:
    """Return what a header about the next entry says, in pax's words."""
    _check(header)
    size = number(header[124:136])
    _check_size(size)
    body = source.take(size)
    source.skip(-size % BLOCK)
    if kind == _LONG_NAME:
        return {b"path": body.rstrip(b"\0")}
    if kind == _LONG_LINK:
        return {b"linkpath": body.rstrip(b"\0")}
    return _records(body)


def _check_size(size: int) -> None:
    if size > _ABOUT_MAX_BYTES:
        raise BadLayer(f"it has a header of {size} bytes")


def _records(body: bytes) -> dict[bytes, bytes]:
    """Return pax records: each is `LENGTH KEY=VALUE\\n`, with its own length."""
    found: dict[bytes, bytes] = {}
    portions: list[bytes] = []
    at = 0
    while at < len(body):
        space = body.find(b" ", at, at + 20)
        length = decimal(body[at:space]) if space > 0 else 0
        record = body[space + 1 : at + length - 1]
        key, equals, value = record.partition(b"=")
        if not equals or length <= 0 or at + length > len(body):
            raise BadLayer("it has a pax header that cannot be read")
        if key in sparse.PORTION:
            portions.append(value)
        found[key] = value
        at += length
    if portions:
        found[sparse.MAP] = b",".join(portions)
    return found


def _entry(header: bytes, about: Mapping[bytes, bytes], source: Source) -> Entry:
    _check(header)
    kind = header[156]
    name = about.get(b"path") or _name(header)
    stored = decimal(about[b"size"]) if b"size" in about else number(header[124:136])
    entry = Entry(
        _text(name),
        FILE if kind in (_OLD_FILE, _CONTIGUOUS, _SPARSE) else kind,
        number(header[100:108]) & 0o7777,
        decimal(about[b"uid"]) if b"uid" in about else number(header[108:116]),
        decimal(about[b"gid"]) if b"gid" in about else number(header[116:124]),
        _nanoseconds(about[b"mtime"])
        if b"mtime" in about
        else number(header[136:148]) * 1_000_000_000,
        _text(about.get(b"linkpath") or _cut(header[157:257])),
        stored if kind in (FILE, _OLD_FILE, _CONTIGUOUS, _SPARSE) else 0,
    )
    if stored < 0 or entry.uid < 0 or entry.gid < 0:
        raise BadLayer("it has a header with a number below zero")
    if kind == _OLD_FILE and name.endswith(b"/"):
        entry.kind = FOLDER
    if about:
        entry.xattrs = _xattrs(about)
    if kind == _SPARSE:
        entry.holes = sparse.old(header, source)
    elif about and sparse.told(about):
        renamed, entry.holes, taken = sparse.pax(about, source)
        entry.stored_bytes -= taken
        entry.name = _text(renamed) if renamed else entry.name
    return entry


def _check(header: bytes) -> None:
    """Check the sum of a header, by which it is told from anything else."""
    said = number(header[148:156])
    if said != sum(header) - sum(header[148:156]) + 256:
        raise BadLayer("it is not a tar archive, or a broken one")


def _nanoseconds(seconds: bytes) -> int:
    """Return a pax time, which has as many digits after the point as it likes."""
    whole, _, rest = seconds.partition(b".")
    negative = whole.startswith(b"-")
    value = decimal(whole.lstrip(b"-") or b"0") * 1_000_000_000
    value += decimal(rest[:9].ljust(9, b"0")) if rest else 0
    return -value if negative else value


def _name(header: bytes) -> bytes:
    name, prefix = _cut(header[:100]), _cut(header[345:500])
    # GNU's headers have other things where ustar's have a prefix.
    is_ustar = header[257:263] == b"ustar\0"
    return prefix + b"/" + name if is_ustar and prefix else name


def _cut(field_: bytes) -> bytes:
    return field_.partition(b"\0")[0]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _xattrs(about: Mapping[bytes, bytes]) -> dict[str, bytes]:
    return {
        _text(key.removeprefix(_XATTR)): value
        for key, value in about.items()
        if key.startswith(_XATTR)
    }
