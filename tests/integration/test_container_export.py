"""The archive of a machine's file system has what its image and its program have put there."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

from tests import images, needs
from tests.container_machines import Machines
from tests.images import busybox, file, layer
from tests.registry import Registry
from tests.unpacked import unpack

pytestmark = [*needs.containers, needs.registry, needs.busybox]

_CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
_SCRIPT = """
    cp /bin/true /work/su; chmod 4755 /work/su; chown 7:8 /work/own; ln /work/own /work/same
    rm /work/gone; dd if=/dev/zero of=/work/sparse bs=1M seek=2000 count=1 2> /dev/null
    exit 3
"""


def _with(entry: images.Entry, name: str, value: bytes) -> images.Entry:
    info = entry[0] if isinstance(entry, tuple) else entry
    info.pax_headers = {f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape")}
    return entry


async def _exported(machines: Machines, spec: Any) -> bytes:
    return b"".join([block async for block in machines.driver.export(spec)])


def test_an_export_can_be_unpacked_as_it_was(registry: Registry, tmp_path: Path) -> None:
    image = registry.push(
        "exported",
        busybox(
            layer(
                _with(file("work/cap", b"x", mode=0o755), "security.capability", _CAPABILITY),
                _with(file("work/attr", b"x"), "user.colour", b"red"),
                file("work/own", b"mine", mtime=1_000_000_000),
                file("work/gone"),
                # not even root of a machine may read it: its owner is none of the machine's users
                file("work/sealed", b"x", mode=0o600, uid=100_000),
            )
        ),
    )
    with Machines.opened(tmp_path / "platform", image) as machines:
        spec = machines.world.spec("sh", "-c", _SCRIPT, machine_id="m1", image=image)
        handle = machines.await_(machines.driver.start(spec, lambda *_: None))
        assert machines.await_(machines.driver.wait(handle)).exit_code == 3
        archive = machines.await_(_exported(machines, spec))
    assert len(archive) < 10_000_000
    left = tmp_path / "left"
    unpack(archive, left)
    work = left / "work"
    assert {one.name for one in work.iterdir()} == {"attr", "cap", "own", "same", "sparse", "su"}
    assert os.getxattr(work / "cap", "security.capability") == _CAPABILITY
    assert os.getxattr(work / "attr", "user.colour") == b"red"
    own = (work / "own").stat()
    assert (own.st_uid, own.st_gid, own.st_mtime) == (7, 8, 1_000_000_000)
    assert (work / "same").samefile(work / "own")
    assert (work / "su").stat().st_mode & 0o7777 == 0o4755
    sparse = (work / "sparse").stat()
    assert sparse.st_size == 2001 * (1 << 20)
    assert sparse.st_blocks * 512 < 2 * (1 << 20)
