"""Disks on real loop devices, mounted as a monitor mounts them, in a namespace of its own."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ephemera.platform.drivers.container import disks, ext4, loops
from tests import needs
from tests.disk_monitor import ATTACHED, Holder, holding

pytestmark = [
    pytest.mark.root,
    needs.root,
    needs.ext4,
    needs.loop,
]

_MIB = 1024**2
_PATIENCE_S = 20.0
_CAN_GROW_MOUNTED = bool(
    int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16) & 1 << 24
    if sys.platform == "linux"
    else 0
)


def _make(image: Path, size_mb: int) -> Path:
    with image.open("wb") as file:
        file.truncate(size_mb * _MIB)
    subprocess.run(["mkfs.ext4", "-F", "-q", "-m", "0", "-b", "4096", image], check=True)
    return image


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)  # a loop device tells nobody when it is gone


def _device(image: Path) -> str | None:
    return loops.of(loops.backing(str(image)))


def _fill(file: Path) -> int:
    """Write until there is no room, and return how many bytes there was room for."""
    with file.open("wb", buffering=0) as out:
        with pytest.raises(OSError, match="No space left on device"):
            _write_for_ever(out)
        return out.tell()


def _write_for_ever(out: io.RawIOBase) -> NoReturn:
    while True:
        out.write(bytes(_MIB))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "vol_1").mkdir()
    return _make(tmp_path / "vol_1" / "data.img", 64)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "mnt"


@pytest.fixture
def holder(image: Path, target: Path) -> Iterator[Holder]:
    with holding(image, target) as holder:
        assert holder.said == ATTACHED
        yield holder


def test_what_is_written_is_there_when_the_disk_is_mounted_again(image: Path, target: Path) -> None:
    with holding(image, target) as first:
        (first.inside / "file").write_text("kept")
    with holding(image, target) as second:
        assert (second.inside / "file").read_text() == "kept"


def test_nobody_else_sees_the_mount(holder: Holder, target: Path) -> None:
    (holder.inside / "file").touch()
    assert list(target.iterdir()) == []


def test_there_is_as_much_room_as_the_disk_is_large(holder: Holder) -> None:
    assert 48 * _MIB < _fill(holder.inside / "file") <= 64 * _MIB
    with pytest.raises(OSError, match="No space left"):
        (holder.inside / "more").write_bytes(bytes(_MIB))


def test_devices_and_setuid_are_of_no_effect(holder: Holder) -> None:
    options = Path(f"/proc/{holder.pid}/mountinfo").read_text()
    (mine,) = (line for line in options.splitlines() if f" {holder.target} " in line)
    assert {"nodev", "nosuid"} <= set(mine.split()[5].split(","))


def test_room_that_is_given_back_is_given_back_to_the_computer(image: Path, holder: Holder) -> None:
    file = holder.inside / "file"
    with file.open("wb") as out:
        out.write(os.urandom(32 * _MIB))
        os.fsync(out)
    assert image.stat().st_blocks * 512 > 32 * _MIB
    file.unlink()
    folder = os.open(holder.inside, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    _until(lambda: image.stat().st_blocks * 512 < 16 * _MIB)


def test_a_monitor_that_is_killed_leaves_no_device_and_no_lock(image: Path, holder: Holder) -> None:
    assert _device(image)
    assert not disks.is_idle(str(image))
    holder.kill()
    _until(lambda: _device(image) is None and disks.is_idle(str(image)))
    assert disks.mounted(str(image)) is None


def test_a_disk_is_never_mounted_twice(
    image: Path, holder: Holder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(disks, "_LOCK_WAIT_S", 0.2)
    with pytest.raises(OSError, match=f"volume vol_1 is in use: .*{holder.inside}") as refused:
        disks.attach(str(image), str(tmp_path / "other"))
    assert refused.value.errno == errno.EBUSY
    assert holder.tell("detach") == "detached"
    assert disks.mounted(str(image)) is None


def test_a_disk_can_be_had_as_soon_as_the_last_who_had_it_is_gone(
    image: Path, target: Path
) -> None:
    for number in range(10):
        with holding(image, target) as holder:
            assert holder.said == ATTACHED
            (holder.inside / f"file{number}").write_bytes(bytes(_MIB))
    with holding(image, target) as holder:
        assert len(list(holder.inside.glob("file*"))) == 10


def test_where_a_disk_is_mounted_is_known_to_whoever_has_its_path(
    image: Path, holder: Holder
) -> None:
    assert disks.mounted(str(image)) == str(holder.inside)


def test_a_damaged_disk_is_an_error_that_names_the_volume(image: Path, target: Path) -> None:
    with image.open("r+b") as file:
        file.seek(1024)
        file.write(os.urandom(1024))
    with holding(image, target) as holder:
        assert "the file system of volume vol_1 is damaged" in holder.said
        assert "e2fsck -f" in holder.said
    assert _device(image) is None


def test_a_disk_whose_tables_are_damaged_is_an_error_too(image: Path, target: Path) -> None:
    with image.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096))  # the table of block groups
    with holding(image, target) as holder:
        assert "the file system of volume vol_1 is damaged" in holder.said
    _until(lambda: _device(image) is None)


def test_a_disk_that_is_gone_is_an_error_that_names_the_volume(image: Path, target: Path) -> None:
    image.unlink()
    with holding(image, target) as holder:
        assert holder.said.startswith(f"{errno.ENOENT} volume vol_1 has no data")


def test_a_disk_whose_file_has_grown_is_as_large_when_it_is_mounted(
    image: Path, target: Path
) -> None:
    with holding(image, target) as holder:
        (holder.inside / "file").write_text("kept")
    os.truncate(image, 128 * _MIB)
    with holding(image, target) as holder:
        assert holder.said == ATTACHED
        assert (holder.inside / "file").read_text() == "kept"
        assert 96 * _MIB < _fill(holder.inside / "more") <= 128 * _MIB


def test_a_disk_that_nobody_has_grows_at_once(image: Path, target: Path) -> None:
    os.truncate(image, 128 * _MIB)
    for _ in range(2):
        disks.grow_unmounted(str(image))
        assert ext4.superblock(str(image)).total_bytes == 128 * _MIB


def test_a_disk_that_somebody_has_is_left_alone_by_what_needs_it_unmounted(
    image: Path, holder: Holder
) -> None:
    os.truncate(image, 128 * _MIB)
    with pytest.raises(OSError, match="in use"):
        disks.grow_unmounted(str(image))


def test_a_mounted_disk_grows_where_the_kernel_lets_us(image: Path, holder: Holder) -> None:
    os.truncate(image, 128 * _MIB)
    if not _CAN_GROW_MOUNTED:
        assert holder.tell("grow").startswith(f"{errno.EPERM} growing volume vol_1")
        return
    assert holder.tell("grow") == "grown"
    assert 96 * _MIB < _fill(holder.inside / "file") <= 128 * _MIB


def test_writes_to_a_frozen_disk_wait(image: Path, holder: Holder) -> None:
    where = disks.mounted(str(image))
    assert where
    folder = disks.freeze(where)
    writer = subprocess.Popen(["touch", holder.inside / "late"])
    with pytest.raises(subprocess.TimeoutExpired):
        writer.wait(0.3)
    disks.thaw(folder)
    assert writer.wait(_PATIENCE_S) == 0


def test_freezing_and_thawing_twice_is_as_good_as_once(image: Path, holder: Holder) -> None:
    where = str(holder.inside)
    first, second = disks.freeze(where), disks.freeze(where)
    disks.thaw(first)
    disks.thaw(second)
    (holder.inside / "file").touch()


def test_a_disk_that_was_left_frozen_by_the_killed_can_be_had_again(
    image: Path, target: Path
) -> None:
    with holding(image, target) as holder:
        (holder.inside / "file").write_text("kept")
        os.close(disks.freeze(str(holder.inside)))
    assert not disks.is_idle(str(image))
    with holding(image, target) as holder:
        assert holder.said == ATTACHED
        assert (holder.inside / "file").read_text() == "kept"
        (holder.inside / "more").touch()


def test_an_older_kernel_gets_its_device_in_two_steps(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(fd: int, request: int, *rest: Any) -> Any:
        if request == 0x4C0A:
            raise OSError(errno.EINVAL, "Invalid argument")
        return ioctl(fd, request, *rest)

    ioctl = fcntl.ioctl
    monkeypatch.setattr(fcntl, "ioctl", older)
    fd = os.open(image, os.O_RDWR)
    with loops.attached(fd, str(image)) as device:
        os.close(fd)
        assert _device(image) == device
    _until(lambda: _device(image) is None)
