from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ephemera.platform import tools


def _tree(folder: Path) -> dict[str, object]:
    """Return what is below a folder, with all that a copy must keep."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        what = path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes()
        mtime = None if path.is_symlink() else status.st_mtime_ns
        found[str(path.relative_to(folder))] = (what, status.st_mode, mtime, status.st_nlink)
    return found


def test_a_copy_has_everything_with_its_attributes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "odd\nname 'x'").write_bytes(bytes(range(256)))
    (source / "script").write_text("#!/bin/sh\n")
    (source / "script").chmod(0o750)
    (source / "twin").hardlink_to(source / "script")
    (source / "nowhere").symlink_to("/no/such/place")
    (source / ".hidden").touch()
    os.mkfifo(source / "pipe")
    os.utime(source / "script", ns=(1, 123_456_789))
    asyncio.run(tools.copy(source, tmp_path / "target"))
    assert _tree(tmp_path / "target") == _tree(source)


def test_holes_stay_holes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "disk").touch()
    os.truncate(source / "disk", 10 * 1024**3)
    asyncio.run(tools.copy(source, tmp_path / "target"))
    status = (tmp_path / "target" / "disk").stat()
    assert status.st_size == 10 * 1024**3
    assert status.st_blocks * 512 < 1024**2


def test_an_empty_folder_is_copied_as_one(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir(mode=0o711)
    asyncio.run(tools.copy(tmp_path / "source", tmp_path / "target"))
    assert list((tmp_path / "target").iterdir()) == []
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o711


def test_a_source_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not there"):
        asyncio.run(tools.copy(tmp_path / "none", tmp_path / "target"))
    assert not (tmp_path / "target").exists()


def test_a_target_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        asyncio.run(tools.copy(tmp_path / "source", tmp_path / "file" / "target"))


@pytest.mark.parametrize(
    ("said", "is_no_harm"),
    [
        ("cp: cannot stat '/v/data/./a': No such file or directory", True),
        ("cp: cannot open '/v/data/./a' for reading: No such file or directory", True),
        ("cp: cannot access '/v/data/./a': No such file or directory", True),
        ("cp: cannot create regular file '/v/new/a': No such file or directory", False),
        ("cp: error writing '/v/new/a': No space left on device", False),
        ("cp: cannot open '/v/data/./a' for reading: Permission denied", False),
    ],
)
def test_a_file_that_went_away_meanwhile_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, *, is_no_harm: bool
) -> None:
    async def complaining(*command: str) -> list[str]:
        return [said] if command[0] == "cp" else []

    (tmp_path / "target").mkdir()
    monkeypatch.setattr(tools, "_run", complaining)
    if is_no_harm:
        asyncio.run(tools.copy(tmp_path, tmp_path / "target"))
    else:
        with pytest.raises(tools.ToolFailed) as caught:
            asyncio.run(tools.copy(tmp_path, tmp_path / "target"))
        assert str(caught.value) == said


def test_a_copy_that_failed_once_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, tried = tools._run, []

    async def failing_once(*command: str) -> list[str]:
        problems = await run(*command)
        tried.append(command[0])
        return ["cp: skipping file 'a', as it was replaced"] if tried == ["cp"] else problems

    (tmp_path / "source").mkdir()
    monkeypatch.setattr(tools, "_run", failing_once)
    asyncio.run(tools.copy(tmp_path / "source", tmp_path / "target"))
    assert tried == ["cp", "rm", "cp"]
    assert list((tmp_path / "target").iterdir()) == []


def test_removing_takes_what_is_unreadable_too_and_may_be_repeated(tmp_path: Path) -> None:
    (tmp_path / "tree" / "closed").mkdir(parents=True)
    (tmp_path / "tree" / "closed" / "file").touch()
    (tmp_path / "tree" / "closed").chmod(0)
    asyncio.run(tools.remove(tmp_path / "tree"))
    asyncio.run(tools.remove(tmp_path / "tree"))
    assert not (tmp_path / "tree").exists()


def test_a_tool_ends_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    async def scene() -> None:
        pid = tmp_path / "pid"
        script = f"echo $$ > {pid}.new && mv {pid}.new {pid} && exec sleep 600"
        running = asyncio.create_task(tools._run("sh", "-c", script))
        async with asyncio.timeout(20):
            while not pid.exists():  # noqa: ASYNC110 - a file tells nobody that it is there
                await asyncio.sleep(0.005)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)

    asyncio.run(scene())
