"""State folders with odd names, without room, or behind a link: machines run, or say why not."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ephemera.errors import DriverError, EphemeraError
from ephemera.platform.drivers.base import GuestFile
from ephemera.platform.drivers.container.driver import ContainerDriver
from tests import needs
from tests.container_machines import Machines
from tests.container_world import quiet
from tests.images import busybox
from tests.registry import Registry

pytestmark = [
    *needs.containers,
    needs.registry,
    needs.busybox,
]

_NAMES = {
    "blanks": "a state folder",
    "commas": "a,b,upperdir=c",
    "colons": "a:b:c",
    "backslashes and quotes": r"back\040slash 'single' \"double\"",
    "a line feed": "two\nlines",
    "odd separators": "tab\tform\x0cfeed\x85next\u2028line",
    "other letters": "Überordner-日本語-🦋",
    "no text at all": b"\xff\xfe".decode("utf-8", "surrogateescape"),
    "shell words": "$(touch x);`y`&|*?~#!",
}


def _lives(home: Path, registry: Registry) -> None:
    """Have machines live there, of both kinds, with files, output, exec and remains."""
    home.mkdir(parents=True)
    image = registry.push("odd-homes", busybox())
    with Machines.opened(home, image) as machines:
        files = [GuestFile("/etc/given", b"given")]
        for kind in (image, "host"):
            script = "cat /etc/given; echo; touch /printed; sleep 1000"
            machine = machines.start("sh", "-c", script, image=kind, files=files)
            look = "until test -e /printed; do sleep 0.01; done; cat /etc/given"
            assert machines.exec(machine, "sh", "-c", look).stdout == b"given"
            found = machines.ended_by_kill(machine)
            assert (found.exit.exit_code, found.lines) == (137, ["given"])
        spec = machines.world.spec("sh", "-c", "echo left > /left", machine_id="left", image=image)
        end = machines.await_(machines.world.ended(machines.driver, spec))
        assert end.exit_code == 0

        async def packed() -> bytes:
            return b"".join([block async for block in machines.driver.export(spec)])

        assert b"left\n" in machines.await_(packed())


@pytest.mark.parametrize("name", _NAMES.values(), ids=_NAMES.keys())
def test_a_state_folder_may_have_any_name(tmp_path: Path, registry: Registry, name: str) -> None:
    _lives(tmp_path / name / "home", registry)


def test_whoever_starts_the_platform_may_keep_files_of_its_own_to_itself(
    tmp_path: Path, registry: Registry
) -> None:
    usual = os.umask(0o077)
    try:
        _lives(tmp_path / "home", registry)
    finally:
        os.umask(usual)


def test_a_state_folder_may_be_very_deep(tmp_path: Path, registry: Registry) -> None:
    deep = tmp_path.joinpath(*(["d" * 200] * 8))
    assert len(str(deep)) > 1600
    _lives(deep, registry)


def test_a_state_folder_behind_a_link_is_hidden_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Machines.opened(tmp_path / "link" / "home") as machines:
        for place in ("real", "link"):
            assert machines.run("ls", f"{tmp_path}/{place}/home").exit.exit_code != 0


@contextmanager
def _small(folder: Path, size_kb: int) -> Iterator[Path]:
    """Have a file system in memory of this size at a folder."""
    folder.mkdir()
    options = ["-o", f"size={size_kb}k,mode=700"]
    subprocess.run(["mount", "-t", "tmpfs", *options, "small", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_machine_that_fills_the_state_folder_hurts_itself_alone(tmp_path: Path) -> None:
    with _small(tmp_path / "small", 8192) as home, Machines.opened(home) as machines:
        (home / "ballast").write_bytes(bytes(256 << 10))
        script = "head -c 99000000 /dev/zero > /much || exit 3"
        assert machines.run("sh", "-c", script).exit.exit_code == 3
        (home / "ballast").unlink()  # nothing is kept free for others by a driver alone
        assert machines.output("echo fine") == ["fine"]


def test_a_full_state_folder_is_a_clear_error_and_a_machine_runs_once_there_is_room(
    tmp_path: Path,
) -> None:
    with _small(tmp_path / "small", 4096) as home, Machines.opened(home) as machines:
        with pytest.raises(OSError, match="No space left"):
            (home / "ballast").write_bytes(bytes(5_000_000))
        for number in range(10_000):  # the last inodes and pages of it
            try:
                (home / f"more{number}").write_bytes(b"x" * 4096)
            except OSError:
                break
        with pytest.raises(EphemeraError) as caught:
            machines.start("true")
        assert "No space left on device" in str(caught.value)
        (home / "ballast").unlink()
        assert machines.output("echo fine") == ["fine"]


def test_an_image_that_finds_no_room_is_a_clear_error(tmp_path: Path, registry: Registry) -> None:
    image = registry.push("large", busybox())
    with _small(tmp_path / "small", 1024) as home, Machines.opened(home, image) as machines:
        with pytest.raises(EphemeraError) as caught:
            machines.start("true")
        assert "space" in str(caught.value).lower() or "room" in str(caught.value).lower()


def test_a_state_folder_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    driver = ContainerDriver(tmp_path / "file")
    with pytest.raises(DriverError, match="machines cannot be made: Not a directory"):
        asyncio.run(driver.open(quiet))
