"""Ephemera among a project's dependencies, where it was installed from a checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import ephemera
from ephemera.deploy.build import ourselves
from ephemera.deploy.build.locks import Locked


class Installed:
    """Stands for the distribution that is installed here."""

    version = "1.2"

    def __init__(self, **files: str) -> None:
        self.files = files

    def read_text(self, name: str) -> str | None:
        return self.files.get(name.partition(".")[0])


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed is from a checkout."""
    about = "Metadata-Version: 2.4\nName: ephemera\nVersion: 1.2\n"
    put(monkeypatch, Installed(direct_url="{}", METADATA=about))


def put(monkeypatch: pytest.MonkeyPatch, installed: Any) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda _: installed)


def asking(line: str, **more: Any) -> Locked:
    return Locked("requirements.txt", line, f"flask>=3\n{line}\n", **more)


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    "line", ["ephemera", "ephemera>=0.1", "ephemera[x] ~= 1", "ephemera ; sys_platform == 'linux'"]
)
def test_a_project_that_asks_for_it_gets_the_one_that_runs_here(line: str) -> None:
    assert ourselves.needed(asking(line))


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    "line", ["", "ephemeral>=1", "ephemera-extras", "ephemera @ https://example.com/e.whl"]
)
def test_what_asks_for_something_else_is_left_alone(line: str) -> None:
    assert ourselves.needed(asking(line)) is None


@pytest.mark.usefixtures("checkout")
def test_a_lock_file_is_taken_at_its_word() -> None:
    assert ourselves.needed(asking("ephemera==1.2", is_whole=True)) is None


def test_what_is_from_an_index_comes_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, Installed())
    assert ourselves.needed(asking("ephemera")) is None


@pytest.mark.usefixtures("checkout")
def test_the_wheel_is_whole_and_named_by_the_constraints(tmp_path: Path) -> None:
    found = ourselves.needed(asking("ephemera"))
    assert found
    constraints = found.constrain(tmp_path)
    wheel = tmp_path / "ephemera-1.2-py3-none-any.whl"
    assert constraints.read_text() == f"ephemera @ {wheel.as_uri()}\n"
    with zipfile.ZipFile(wheel) as archive:
        name = f"ephemera/{Path(ephemera.__file__).name}"
        assert archive.read(name) == Path(ephemera.__file__).read_bytes()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    target = tmp_path / "installed"
    subprocess.run([*command, "--no-compile", "--target", target, wheel], check=True)
    assert (target / "ephemera/runner/runner.py").exists()


@pytest.mark.usefixtures("checkout")
def test_the_same_source_is_the_same_and_another_is_another() -> None:
    first, again = ourselves.needed(asking("ephemera")), ourselves.needed(asking("ephemera"))
    assert first
    assert again
    assert first.known_by == again.known_by
    again.files["ephemera/__init__.py"] = b""
    assert first.known_by != again.known_by
