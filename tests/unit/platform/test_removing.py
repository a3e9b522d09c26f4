from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ephemera.platform import tools


def test_what_a_program_made_unreadable_is_made_readable_before_it_is_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may look anywhere, so the refusal that anybody else meets is played."""
    folder = tmp_path / "machine"
    deepest = folder / "a" / "b"
    deepest.mkdir(parents=True)
    (deepest / "file").touch()
    (folder / "link").symlink_to(tmp_path)
    for one in (deepest, deepest.parent):
        one.chmod(0)
    remove, refusals = shutil.rmtree, [PermissionError()]

    def refuse_once(path: Path) -> None:
        if refusals:
            raise refusals.pop()
        modes = [one.stat().st_mode & 0o777 for one in (folder, deepest.parent, deepest)]
        assert modes == [0o700] * 3
        remove(path)

    before = tmp_path.stat().st_mode
    monkeypatch.setattr(shutil, "rmtree", refuse_once)
    tools.remove_now(folder)
    assert not folder.exists()
    assert tmp_path.stat().st_mode == before


def test_a_folder_that_a_program_replaced_by_a_link_leads_nowhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o500)
    (elsewhere / "file").touch(mode=0o400)
    link = tmp_path / "1.root"
    link.symlink_to(elsewhere)
    tools.remove_now(link)
    assert not link.is_symlink()
    assert elsewhere.stat().st_mode & 0o777 == 0o500
    assert (elsewhere / "file").stat().st_mode & 0o777 == 0o400
