from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ephemera.platform.volumes.usage import digest, measure


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "b").mkdir(parents=True)
    (folder / "a").write_bytes(b"x" * 8192)
    (folder / "b" / "c").write_bytes(b"y" * 4096)
    for path in (folder / "a", folder / "b" / "c", folder / "b"):
        os.utime(path, ns=(1, 1))
    return folder


def test_an_empty_folder_takes_nothing(tmp_path: Path) -> None:
    assert measure(tmp_path) == 0


def test_what_is_written_counts_at_any_depth(folder: Path) -> None:
    assert 12_288 <= measure(folder) <= 12_288 + 2 * 4096


def test_two_names_of_a_file_count_once_and_holes_not_at_all(folder: Path) -> None:
    before = measure(folder)
    (folder / "twin").hardlink_to(folder / "a")
    (folder / "hole").touch()
    os.truncate(folder / "hole", 1024**3)
    assert measure(folder) == before


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    before = measure(folder)
    (folder / "up").symlink_to(tmp_path)
    assert measure(folder) <= before + 4096


def test_a_folder_that_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert measure(tmp_path / "none") == 0
    assert digest(tmp_path / "none") == digest(tmp_path)


def test_the_same_folder_has_the_same_digest(folder: Path) -> None:
    assert digest(folder) == digest(folder)
    assert len(digest(folder)) == 64


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a").rename(folder / "A"),
        lambda folder: (folder / "a").chmod(0o600),
        lambda folder: os.utime(folder / "a", ns=(1, 2)),
        lambda folder: os.truncate(folder / "a", 1),
        lambda folder: (folder / "b" / "new").mkdir(),
        lambda folder: (folder / "b" / "c").unlink(),
    ],
    ids=["name", "mode", "time", "size", "more", "less"],
)
def test_any_change_changes_the_digest(folder: Path, change: Callable[[Path], object]) -> None:
    before = digest(folder)
    change(folder)
    assert digest(folder) != before
