from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ephemera.platform.drivers.monitoring.program import NotStarted
from ephemera.platform.drivers.process import guest_files


def _file(guest_path: str, content: bytes = b"x", mode: int = 0o644) -> dict[str, object]:
    return {
        "guest_path": guest_path,
        "content": base64.b64encode(content).decode(),
        "mode": mode,
    }


def test_a_guest_path_lies_below_the_folder() -> None:
    where = guest_files.places(["/a/b.json", "/./c"], ["/data/"], "/m/files")
    assert where.files == {"/a/b.json": "/m/files/a/b.json", "/./c": "/m/files/c"}
    assert where.mounts == {"/data": "/m/files/data"}


@pytest.mark.parametrize("path", ["", "/", "a", "../a", "/../a", "/a/../../b", "/a\0b"])
def test_a_path_that_could_leave_the_folder_is_refused(path: str) -> None:
    with pytest.raises(NotStarted, match="absolute path"):
        guest_files.places([path], [], "/m/files")
    with pytest.raises(NotStarted, match="absolute path"):
        guest_files.places([], [path], "/m/files")


def test_files_are_written_with_content_and_mode(tmp_path: Path) -> None:
    where = guest_files.places(["/deep/er/f"], [], str(tmp_path))
    guest_files.write([_file("/deep/er/f", b"\0\xff", 0o600)], where)
    written = tmp_path / "deep/er/f"
    assert written.read_bytes() == b"\0\xff"
    assert written.stat().st_mode & 0o7777 == 0o600


def test_a_file_cannot_run_as_somebody_else(tmp_path: Path) -> None:
    where = guest_files.places(["/f"], [], str(tmp_path))
    guest_files.write([_file("/f", mode=0o4755)], where)
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o755


def test_a_file_in_a_file_says_why_it_cannot_be_written(tmp_path: Path) -> None:
    where = guest_files.places(["/a", "/a/b"], [], str(tmp_path))
    with pytest.raises(NotStarted, match="'/a/b' cannot be written"):
        guest_files.write([_file("/a"), _file("/a/b")], where)


def test_only_what_equals_a_guest_path_is_replaced() -> None:
    where = guest_files.Places({"/a": "/m/a"}, {})
    assert guest_files.relocate(["cat", "/a", "--f=/a", "/a/b"], where) == [
        "cat", "/m/a", "--f=/a", "/a/b",
    ]  # fmt: skip
    assert guest_files.relocate_values({"F": "/a", "/a": "x"}, where) == {"F": "/m/a", "/a": "x"}


def test_what_lies_in_a_volume_is_replaced_and_what_only_begins_like_it_is_not() -> None:
    where = guest_files.Places({}, {"/data": "/m/data"})
    assert guest_files.relocate(["/data", "/data/a/b", "/database", "x/data"], where) == [
        "/m/data", "/m/data/a/b", "/database", "x/data",
    ]  # fmt: skip


def test_a_volume_is_linked_and_what_was_linked_before_is_replaced(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    where = guest_files.places([], ["/deep/data"], str(tmp_path / "files"))
    for _ in range(2):
        guest_files.mount([{"path": "/deep/data", "source": str(volume)}], where)
    (tmp_path / "files/deep/data/kept").write_text("here")
    assert (volume / "kept").read_text() == "here"


def test_a_volume_that_is_not_there_says_so(tmp_path: Path) -> None:
    where = guest_files.places([], ["/data"], str(tmp_path / "files"))
    with pytest.raises(NotStarted, match="the volume for '/data' is not there"):
        guest_files.mount([{"path": "/data", "source": str(tmp_path / "missing")}], where)
