"""That machines' folders lie apart on a disk that can have them so, and nowhere does it harm."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ephemera.platform.spreading import spread


@pytest.mark.skipif(sys.platform != "linux", reason="the attribute is one of Linux")
def test_a_folder_is_the_top_of_its_hierarchy_where_the_file_system_knows_such(
    tmp_path: Path,
) -> None:
    lsattr, chattr = shutil.which("lsattr"), shutil.which("chattr")
    probe = tmp_path / "probe"
    probe.mkdir()
    known = chattr and not subprocess.run([chattr, "+T", probe], check=False).returncode
    if not (known and lsattr):
        pytest.skip("this file system has no attribute T, or chattr and lsattr are not installed")
    folder = tmp_path / "machines"
    folder.mkdir()
    for _ in range(2):
        spread(folder)
    shown = subprocess.run([lsattr, "-d", folder], check=True, capture_output=True, text=True)
    assert "T" in shown.stdout.split()[0]


def test_a_file_system_without_it_is_left_as_it_is() -> None:
    spread(Path("/proc/self"))


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spread(tmp_path / "nowhere")
