"""Copies of a project, from which machines run that are processes of this computer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ephemera.deploy.build import BuildRequest, Built, build
from ephemera.errors import BuildError, ConfigError
from ephemera.wire.ids import new_ulid

PROGRAM = "import os, sys, words; print(os.getcwd(), words.WORD, *sys.argv[1:])\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "app.py").write_text(PROGRAM)
    (folder / "src/words.py").write_text("WORD = 'hello'\n")
    (folder / ".dockerignore").write_text("*.log\n")
    (folder / "old.log").touch()
    return folder


def built(project: Path, tell: list[str] | None = None, **more: Any) -> Built:
    given = {"start": ("python", "app.py", "a b"), "release_id": new_ulid(), **more}
    home = project.parent / "home"
    request = BuildRequest(project, "shop", home=home, driver="process", **given)
    return build(request, (tell if tell is not None else []).append)


def output(made: Built, command: Sequence[str] = ()) -> str:
    """Run what a machine would, and return what it prints."""
    done = subprocess.run(
        made.exec_of(command) if command else list(made.exec),
        env={**os.environ, **made.env},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_an_app_runs_from_the_copy_whatever_becomes_of_the_project(project: Path) -> None:
    made = built(project, release_id="01")
    (project / "src/words.py").write_text("WORD = 'changed'\n")
    place = project.parent / "home/builds/shop/01"
    assert made.image == "host"
    assert output(made) == f"{place} hello a b"
    assert sorted(path.name for path in place.iterdir()) == [".dockerignore", "app.py", "src"]


def test_other_commands_run_from_the_copy_too(project: Path) -> None:
    made = built(project)
    assert output(made, ["python", "-c", "import words; print(words.WORD)"]) == "hello"


def test_the_projects_own_virtual_environment_is_used(project: Path) -> None:
    programs = project / ".venv/bin"
    programs.mkdir(parents=True)
    (project / ".venv/pyvenv.cfg").touch()
    (programs / "python").symlink_to(sys.executable)
    (programs / "greet").write_text("#!/bin/sh\necho greetings\n")
    (programs / "greet").chmod(0o755)
    made = built(project, start=("greet",))
    assert output(made) == "greetings"
    assert not (Path(made.before[-1]) / ".venv").exists()


def test_ten_copies_are_kept(project: Path) -> None:
    for _ in range(12):
        last = built(project)
    kept = sorted(Path(last.before[-1]).parent.iterdir())
    assert len(kept) == 10
    assert str(kept[-1]) == last.before[-1]


def test_a_copy_that_machines_run_from_stays(project: Path) -> None:
    first, second = new_ulid(), new_ulid()
    for release in (first, second, *(new_ulid() for _ in range(10))):
        last = built(project, release_id=release, in_use={first})
    kept = {one.name for one in Path(last.before[-1]).parent.iterdir()}
    assert first in kept
    assert second not in kept


def test_the_same_release_may_be_built_again(project: Path) -> None:
    built(project, release_id="01")
    (project / "src/words.py").write_text("WORD = 'changed'\n")
    assert output(built(project, release_id="01")).split()[1] == "changed"


def test_a_copy_that_fails_leaves_nothing(project: Path) -> None:
    with pytest.raises(BuildError, match="static files cannot be collected"):
        built(project, collect=("python", "-c", "raise SystemExit(1)"))
    assert list((project.parent / "home/builds/shop").iterdir()) == []


def test_without_a_command_nothing_is_built(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing says how app 'shop' is .*\[processes\]"):
        built(project, start=())


def test_what_was_copied_is_told(project: Path) -> None:
    told: list[str] = []
    made = built(project, told)
    assert told == [f"copied 3 files, 1 kB, to {made.before[-1]}"]


def test_what_a_killed_build_has_left_goes_after_a_day(project: Path) -> None:
    made = built(project)
    left, at_work = (Path(made.before[-1]).parent / name for name in (".new-left", ".new-at-work"))
    left.mkdir()
    at_work.mkdir()
    os.utime(left, (0, 0))
    built(project)
    assert not left.exists()
    assert at_work.exists()
