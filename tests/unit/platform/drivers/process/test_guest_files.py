from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ephemera.platform.drivers.process import guest_files
from ephemera.platform.drivers.process.program import NotStarted


def _file(guest_path: str, content: bytes = b"x", mode: int = 0o644) -> dict[str, object]:
    return {
        "guest_path": guest_path,
        "content": base64.b64encode(content).decode(),
        "mode": mode,
    }


def test_a_guest_path_lies_below_the_folder() -> None:
    assert guest_files.places(["/a/b.json", "/./c"], "/m/files") == {
        "/a/b.json": "/m/files/a/b.json",
        "/./c": "/m/files/c",
    }


@pytest.mark.parametrize("path", ["", "/", "a", "../a", "/../a", "/a/../../b", "/a\0b"])
def test_a_path_that_could_leave_the_folder_is_refused(path: str) -> None:
    with pytest.raises(NotStarted, match="absolute path"):
        guest_files.places([path], "/m/files")


def test_files_are_written_with_content_and_mode(tmp_path: Path) -> None:
    where = guest_files.places(["/deep/er/f"], str(tmp_path))
    guest_files.write([_file("/deep/er/f", b"\0\xff", 0o600)], where)
    written = tmp_path / "deep/er/f"
    assert written.read_bytes() == b"\0\xff"
    assert written.stat().st_mode & 0o7777 == 0o600


def test_a_file_cannot_run_as_somebody_else(tmp_path: Path) -> None:
    where = guest_files.places(["/f"], str(tmp_path))
    guest_files.write([_file("/f", mode=0o4755)], where)
    assert (tmp_path / "f").stat().st_mode & 0o7777 == 0o755


def test_a_file_in_a_file_says_why_it_cannot_be_written(tmp_path: Path) -> None:
    where = guest_files.places(["/a", "/a/b"], str(tmp_path))
    with pytest.raises(NotStarted, match="'/a/b' cannot be written"):
        guest_files.write([_file("/a"), _file("/a/b")], where)


def test_only_what_equals_a_guest_path_is_replaced() -> None:
    where = {"/a": "/m/a"}
    assert guest_files.relocate(["cat", "/a", "--f=/a", "/a/b"], where) == [
        "cat", "/m/a", "--f=/a", "/a/b",
    ]  # fmt: skip
    assert guest_files.relocate_values({"F": "/a", "/a": "x"}, where) == {"F": "/m/a", "/a": "x"}
