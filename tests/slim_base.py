"""Stands in for the image `docker.io/library/python:3.11-slim`, made of what is on this computer.

```python
base = slim_base("flask", "gunicorn")
environment = for_buildah(tmp_path, registry, base)   # variables with which buildah finds it
```

It has the Python that runs here with its standard library, busybox, `useradd`, and wheels of
packages that are installed here, which its `pip` takes instead of asking an index: a `Dockerfile`
is built as it is, and no network is needed.
"""

from __future__ import annotations

import io
import os
import platform
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.images import Built, Layer, busybox, file, folder, layer, symlink
from tests.needs import which
from tests.python_base import VERSION, libraries
from tests.registry import Registry

_USERADD = Path("/usr/sbin/useradd")
#: Large, and of no use to an application.
_LEFT_OUT = {"__pycache__", "idlelib", "lib2to3", "site-packages", "test", "tkinter", "turtledemo"}
#: Large packages that Ephemera needs for the platform and the command line, and an application does
#: not: their wheels are empty, as to install them is most of the time of a build.
_EMPTY = {
    "alembic", "cryptography", "dnspython", "httptools", "hypercorn", "pygments", "pynacl", "rich",
    "uvloop", "websockets",
}  # fmt: skip
_WHEELS = "srv/wheels"
#: `no-compile = no` means that it does not compile: https://pip.pypa.io/en/stable/topics/configuration/
_PIP = f"""\
[global]
no-index = true
find-links = /{_WHEELS}
disable-pip-version-check = true
[install]
no-compile = no
"""


def slim_base(*packages: str) -> Built:
    """Return the image, with wheels of packages that are installed here and of all they need."""
    found: dict[str, metadata.Distribution] = {}
    for name in packages:
        _gather(name, found)
    env = [
        "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        f"PYTHON_VERSION={platform.python_version()}",
    ]
    return busybox(_python(found), _wheels(found), env=env, cmd=["python3"])


def for_buildah(place: Path, registry: Registry, base: Built) -> Mapping[str, str]:
    """Return variables with which `buildah` has the image, and keeps all in a folder.

    It mounts where nobody else sees it, and nothing of it stays.
    """
    registry.push("library/python", base, f"{VERSION}-slim")
    storage, registries, buildah = (place / name for name in ("storage", "registries", "buildah"))
    storage.write_text(
        f'[storage]\ndriver="overlay"\nrunroot="{place}/run"\ngraphroot="{place}/graph"\n'
    )
    registries.write_text(
        '[[registry]]\nprefix="docker.io/library"\n'
        f'location="{registry.address}/library"\ninsecure=true\n'
    )
    buildah.write_text(f'#!/bin/sh\nexec unshare --mount {which("buildah")} "$@"\n')
    buildah.chmod(0o755)
    return {
        "CONTAINERS_STORAGE_CONF": str(storage),
        "CONTAINERS_REGISTRIES_CONF": str(registries),
        "PATH": f"{place}:{os.environ['PATH']}",
    }


def _python(packages: Mapping[str, metadata.Distribution]) -> Layer:
    program = Path(sys.base_prefix, "bin", f"python{VERSION}").resolve()
    stdlib = Path(sys.base_prefix, "lib", f"python{VERSION}")
    modules = [path for path in sorted(stdlib.rglob("*")) if _is_wanted(path, stdlib)]
    shared = [path for path in modules if path.suffix == ".so"]
    for installed in packages.values():
        shared += [Path(str(one.locate())) for one in _content(installed) if one.suffix == ".so"]
    inner = f"usr/local/lib/python{VERSION}"
    return layer(
        file(f"usr/local/bin/python{VERSION}", program.read_bytes(), mode=0o755),
        symlink("usr/local/bin/python3", f"python{VERSION}"),
        symlink("usr/local/bin/python", f"python{VERSION}"),
        *(file(f"{inner}/{path.relative_to(stdlib)}", path.read_bytes()) for path in modules),
        file("usr/sbin/useradd", _USERADD.read_bytes(), mode=0o755),
        *libraries(program, _USERADD, *shared),
        compression="",
    )


def _is_wanted(path: Path, stdlib: Path) -> bool:
    inner = path.relative_to(stdlib).parts
    return path.is_file() and not (_LEFT_OUT & {*inner} or inner[0].startswith("config-"))


def _wheels(packages: Mapping[str, metadata.Distribution]) -> Layer:
    return layer(
        file("etc/pip.conf", _PIP.encode()),
        folder(_WHEELS),
        *(file(f"{_WHEELS}/{_name(one)}", _wheel(one)) for one in packages.values()),
        compression="",
    )


def _gather(name: str, found: dict[str, metadata.Distribution]) -> None:
    """Find a package that is installed here, and those that it needs."""
    key = canonicalize_name(name)
    if key in found:
        return
    found[key] = metadata.distribution(name)
    for text in found[key].requires or ():
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            _gather(needed.name, found)


def _name(installed: metadata.Distribution) -> str:
    """Return the name of a package's wheel, with the last of its tags: the first may be old."""
    said = (installed.read_text("WHEEL") or "").splitlines()
    *_, tag = (line.removeprefix("Tag: ") for line in said if line.startswith("Tag: "))
    name = canonicalize_name(installed.metadata["Name"]).replace("-", "_")
    return f"{name}-{installed.version}-{tag}.whl"


def _wheel(installed: metadata.Distribution) -> bytes:
    """Return the wheel again of which a package was installed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in _content(installed):
            # as it was made: a file may be of a year that zip does not know
            archive.writestr(zipfile.ZipInfo(str(name)), name.read_binary())
    return packed.getvalue()


def _content(installed: metadata.Distribution) -> Iterator[metadata.PackagePath]:
    """Yield the files that its wheel had; programs and compiled modules are made by installers."""
    is_empty = canonicalize_name(installed.metadata["Name"]) in _EMPTY
    for name in installed.files or ():
        is_about = name.parts[0].endswith(".dist-info") and name.name != "direct_url.json"
        is_made = name.parts[0] == ".." or "__pycache__" in name.parts
        if is_about or not (is_empty or is_made):
            yield name
