"""How fast an image is pulled and unpacked, beside `skopeo copy` and `umoci unpack`.

The image is made of real files of this computer, 120 MB of them in three layers, and comes from
a registry on loopback, so that what is measured is not the line.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from tests import images
from tests.registry import running_registry

from benchmarks.measuring import Result, Stopwatch, interleaved
from ephemera.platform.images import Images

_LAYERS_MB = (60, 40, 20)
_PROGRAMS = ("docker-registry", "skopeo", "umoci")


def pull(folder: Path, rounds: int) -> list[Result]:
    """Have an image that is not here yet, until it could be mounted."""
    lacking = [name for name in _PROGRAMS if shutil.which(name) is None]
    if lacking:
        print(f"image: left out, there is no {', no '.join(lacking)}")
        return []
    with running_registry(folder / "registry") as registry:
        reference = registry.push("bench", images.build(*map(images.layer_of, _archives())))
        numbers = count()

        def ours(watch: Stopwatch) -> None:
            asyncio.run(_prepare(folder / f"ours-{next(numbers)}", reference, watch))

        def theirs(watch: Stopwatch) -> None:
            _skopeo_and_umoci(folder / f"theirs-{next(numbers)}", reference, watch)

        # Nothing is removed between the rounds: on ext4, files are made ten times as slowly
        # for half a minute after many were removed.
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


def _skopeo_and_umoci(folder: Path, reference: str, watch: Stopwatch) -> None:
    source, copy = f"docker://{reference}", f"{folder}/oci:image"
    folder.mkdir()
    with watch.running():
        for command in (
            ["skopeo", "copy", "--quiet", "--src-tls-verify=false", source, f"oci:{copy}"],
            ["umoci", "unpack", "--image", copy, f"{folder}/bundle"],
        ):
            subprocess.run(command, check=True, capture_output=True)


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
