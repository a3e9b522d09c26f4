"""How fast an image is pulled and unpacked, beside `skopeo copy` and `umoci unpack`.

The image is made of real files of this computer, 120 MB of them in three layers. It comes from a
registry on loopback and is unpacked in memory, so that what is measured is neither the line nor
the disk: ext4 takes ten times as long to make files for a minute after many were removed, and
that would be most of what both of them do.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tests import images
from tests.registry import running_registry

from benchmarks.measuring import Result, Stopwatch, interleaved
from ephemera.platform.images import Images

_LAYERS_MB = (60, 40, 20)
_MEMORY = Path("/dev/shm")
_PROGRAMS = ("docker-registry", "skopeo", "umoci")


def pull(folder: Path, rounds: int) -> list[Result]:
    """Have an image that is not here yet, until it could be mounted."""
    lacking = [name for name in _PROGRAMS if shutil.which(name) is None]
    if lacking:
        print(f"image: left out, there is no {', no '.join(lacking)}")
        return []
    with (
        running_registry(folder / "registry") as registry,
        tempfile.TemporaryDirectory(dir=_in_memory(folder)) as place,
    ):
        reference = registry.push("bench", images.build(*map(images.layer_of, _archives())))
        numbers = count()

        def ours(watch: Stopwatch) -> None:
            asyncio.run(_prepare(Path(place, f"ours-{next(numbers)}"), reference, watch))

        def theirs(watch: Stopwatch) -> None:
            _skopeo_and_umoci(Path(place, f"theirs-{next(numbers)}"), reference, watch)

        measured, floor = interleaved(rounds, ours, theirs)
    key = "pull and unpack of a 120 MB image"
    compared = "`skopeo copy` + `umoci unpack`"
    return [
        Result(key, measured.median, "ms", 2000, rounds, compared, floor.median),
        Result(
            f"pull and unpack: {compared} to ours",
            floor.median / measured.median,
            "x",
            2,
            rounds,
            at_least=True,
        ),
    ]


async def _prepare(folder: Path, reference: str, watch: Stopwatch) -> None:
    kept = Images(folder)
    await kept.open()
    with watch.running():
        await kept.prepare(reference, lambda *_: None)
    await kept.close()
    shutil.rmtree(folder)


def _skopeo_and_umoci(folder: Path, reference: str, watch: Stopwatch) -> None:
    source, copy = f"docker://{reference}", f"{folder}/oci:image"
    folder.mkdir()
    with watch.running():
        for command in (
            ["skopeo", "copy", "--quiet", "--src-tls-verify=false", source, f"oci:{copy}"],
            ["umoci", "unpack", "--image", copy, f"{folder}/bundle"],
        ):
            subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(folder)


def _in_memory(folder: Path) -> Path:
    """Return a folder in memory; where there is none, the one that is given."""
    return _MEMORY if _MEMORY.is_dir() else folder


def _archives() -> Iterator[bytes]:
    """Yield the layers: as many files as there is room for, each in one of them."""
    found = _files()
    for layer_mb in _LAYERS_MB:
        room, packed = layer_mb * 1_000_000, io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            while packed.tell() < room:
                path = next(found)
                if path.lstat().st_size < room - packed.tell():
                    tar.add(path, recursive=False)
        yield packed.getvalue()


def _files() -> Iterator[Path]:
    """Yield what Python's own libraries and the documentation of this computer consist of."""
    for root in (*sorted(Path("/usr/lib").glob("python3*")), Path("/usr/share")):
        yield from sorted(root.rglob("*"))
