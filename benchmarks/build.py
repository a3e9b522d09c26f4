"""How fast an app is built again when a line of its source has changed, beside `buildah`.

The same project, base image and registry for both: a base of real files with a Python, one layer of
dependencies that both of them keep, and a hundred modules. Both build and push; every round
changes a line of one module.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.building import Project, project_in
from tests.python_base import python_base
from tests.registry import Registry, running_registry

from benchmarks.measuring import Result, Stopwatch, interleaved

_PROGRAMS = ("docker-registry", "buildah")
_MODULES = 100
_MODULE = "def answer(number: int) -> int:\n    return number * 2\n\n\n" * 20
_DOCKERFILE = """\
FROM {base}
WORKDIR /app
COPY requirements.txt .
RUN cat requirements.txt >/installed
COPY . .
CMD ["python", "app.py"]
"""
_BUDGET_MS = 1000


def again(folder: Path, rounds: int) -> list[Result]:
    """Build and push after a change of one line, until the registry has it."""
    lacking = [name for name in _PROGRAMS if shutil.which(name) is None]
    if lacking:
        print(f"build: left out, there is no {', no '.join(lacking)}")
        return []
    with running_registry(folder / "registry") as registry, _buildah(folder, registry):
        base = registry.push("python", python_base())
        project = _project(folder, base)
        numbers = count()

        def build(builder: str, watch: Stopwatch) -> None:
            project.write("changed.py", f"NUMBER = {next(numbers)}\n")
            with watch.running():
                project.build(base, registry.address, builder=builder)

        ours, theirs = interleaved(
            rounds, lambda watch: build("python", watch), lambda watch: build("buildah", watch)
        )
    key = "build and push after a change of one line"
    return [Result(key, ours.median, "ms", _BUDGET_MS, rounds, "`buildah`", theirs.median)]


def _project(folder: Path, base: str) -> Project:
    project = project_in(folder)
    for number in range(_MODULES):
        project.write(f"shop/module{number}.py", _MODULE)
    project.write("Dockerfile", _DOCKERFILE.format(base=base))
    return project


@contextmanager
def _buildah(folder: Path, registry: Registry) -> Iterator[None]:
    """Have `buildah` keep what it keeps in a folder, and pull from our registry."""
    settings = {
        "CONTAINERS_STORAGE_CONF": (
            f'[storage]\ndriver="overlay"\nrunroot="{folder}/run"\ngraphroot="{folder}/graph"\n'
        ),
        "CONTAINERS_REGISTRIES_CONF": (
            f'[[registry]]\nlocation="{registry.address}"\ninsecure=true\n'
        ),
    }
    for name, text in settings.items():
        (folder / name).write_text(text)
        os.environ[name] = str(folder / name)
    try:
        yield
    finally:
        for name in settings:
            del os.environ[name]
