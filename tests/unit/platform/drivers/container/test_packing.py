from __future__ import annotations

import io
import os
import socket
import tarfile
import threading
from pathlib import Path

import pytest

from ephemera.platform.drivers.container import packing
from tests import needs

pytestmark = needs.linux

_MB = 1 << 20


class _Archive:
    """What is in an archive, read to its end."""

    def __init__(self, data: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            self.members = {one.name: one for one in archive}
            files = {one.name: archive.extractfile(one) for one in archive if one.isreg()}
            self.contents = {name: file.read() for name, file in files.items() if file}


def _packed(folder: Path) -> bytes:
    sink = io.BytesIO()
    packing.pack(str(folder), sink)
    return sink.getvalue()


def test_all_that_an_archive_can_hold_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True, mode=0o700)
    (tmp_path / "b" / "deep" / "file").write_bytes(b"x" * 100_000)
    (tmp_path / "a").write_text("a")
    os.link(tmp_path / "a", tmp_path / "b" / "same")
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff")).write_text("odd")
    with socket.socket(socket.AF_UNIX) as left_out:
        left_out.bind(str(tmp_path / "s"))
    archive = _Archive(_packed(tmp_path))
    names = ["a", "b", "b/deep", "b/deep/file", "b/same", "fifo", "link", "\udcff"]
    assert list(archive.members) == names
    assert archive.contents["b/deep/file"] == b"x" * 100_000
    assert archive.contents["\udcff"] == b"odd"
    assert archive.members["b/same"].linkname == "a"
    assert archive.members["link"].linkname == "/etc/passwd"
    assert archive.members["fifo"].isfifo()
    assert archive.members["b/deep"].mode == 0o700


@pytest.mark.parametrize("ends_in", ["data", "a hole"])
def test_holes_take_no_room(ends_in: str, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "sparse"
    path.parent.mkdir()
    with path.open("wb") as file:
        for at in (0, 4 * _MB, 8 * _MB):
            file.seek(at)
            file.write(b"here")
        if ends_in == "a hole":
            file.truncate(12 * _MB)
    packed = _packed(tmp_path)
    assert len(packed) < _MB // 2
    archive = _Archive(packed)
    assert archive.members["folder/sparse"].size == path.stat().st_size
    assert archive.contents["folder/sparse"] == path.read_bytes()


def test_files_may_change_and_vanish_meanwhile(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x" * _MB)  # more than fits into a pipe
    (tmp_path / "c" / "deep").mkdir(parents=True)
    source, sink = os.pipe()

    def pack() -> None:
        with os.fdopen(sink, "wb") as file:
            packing.pack(str(tmp_path), file)

    packer = threading.Thread(target=pack)
    packer.start()
    with os.fdopen(source, "rb") as file:
        begun = file.read(1000)  # it is in the middle of the first, and knows the names of all
        os.truncate(tmp_path / "a", 0)
        (tmp_path / "b").unlink()
        (tmp_path / "c" / "deep").rmdir()
        (tmp_path / "c").rmdir()
        rest = file.read()
    packer.join()
    archive = _Archive(begun + rest)
    assert list(archive.members) == ["a"]
    assert len(archive.contents["a"]) == _MB
    assert archive.contents["a"].rstrip(b"\0").strip(b"x") == b""
