from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import pytest

from ephemera.deploy.build.layers import Entry, Layer, write
from ephemera.errors import BuildError, ConfigError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNPACK = {"gzip": gzip.decompress, "zstd": zstd.decompress}


def entries(tmp_path: Path) -> list[Entry]:
    program = tmp_path / "program"
    program.write_bytes(b"#!/bin/sh\n")
    return [
        Entry("app/link", link="../etc/hosts"),
        Entry("app", 0o755, owner=1000),
        Entry("app/program", 0o755, program, owner=1000),
        Entry("app/words", content=b"hello"),
    ]


def archive(layer: Layer, compression: str) -> bytes:
    return UNPACK[compression](layer.path.read_bytes())


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_layer_is_what_its_digests_say(tmp_path: Path, compression: str) -> None:
    layer = write(entries(tmp_path), tmp_path / "layer", compression)
    data, unpacked = layer.path.read_bytes(), archive(layer, compression)
    assert layer.size == len(data)
    assert layer.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert layer.diff_id == "sha256:" + hashlib.sha256(unpacked).hexdigest()
    assert layer.media_type == f"application/vnd.oci.image.layer.v1.tar+{compression}"


def test_a_layer_has_its_entries_sorted_and_of_1970(tmp_path: Path) -> None:
    layer = write(entries(tmp_path), tmp_path / "layer", "gzip")
    with tarfile.open(layer.path) as tar:
        found = [(one.name, one.mode, one.uid, one.gid, one.mtime) for one in tar]
        program = tar.extractfile("app/program")
        assert program
        assert program.read() == b"#!/bin/sh\n"
        assert tar.getmember("app/link").linkname == "../etc/hosts"
    assert found == [
        ("app", 0o755, 1000, 1000, 0),
        ("app/link", 0o644, 0, 0, 0),
        ("app/program", 0o755, 1000, 1000, 0),
        ("app/words", 0o644, 0, 0, 0),
    ]


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_same_files_are_the_same_layer_in_whatever_order_they_come(
    tmp_path: Path, compression: str
) -> None:
    one = write(entries(tmp_path), tmp_path / "one", compression)
    other = write(reversed(entries(tmp_path)), tmp_path / "other", compression)
    assert one.path.read_bytes() == other.path.read_bytes()


def test_another_moment_may_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1577836800")
    layer = write([Entry("a", content=b"")], tmp_path / "layer", "gzip")
    with tarfile.open(fileobj=io.BytesIO(archive(layer, "gzip"))) as tar:
        assert tar.getmember("a").mtime == 1577836800
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH is 'yesterday'"):
        write([Entry("a", content=b"")], tmp_path / "other", "gzip")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_told_as_that(tmp_path: Path) -> None:
    class Full(type(tmp_path)):  # type: ignore[misc]
        def open(self, *_: object, **__: object) -> io.BufferedWriter:
            return io.BufferedWriter(io.FileIO("/dev/full", "w"), 1)

    with pytest.raises(BuildError, match="there is no room left on the disk"):
        write(entries(tmp_path), Full(tmp_path / "layer"))
