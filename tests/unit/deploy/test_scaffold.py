"""New applications: their own tests pass, and they can be launched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ephemera.deploy.launch import State, Wishes, plan
from ephemera.deploy.scaffold import FRAMEWORKS, create, creating
from ephemera.errors import ConfigError


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_tests_of_a_new_application_pass_as_they_are(tmp_path: Path, framework: str) -> None:
    folder = create(tmp_path, "my-shop", framework)
    done = subprocess.run(
        [Path(sys.executable).with_name("pytest"), "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "EPHEMERA_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


@pytest.mark.parametrize(
    ("from_checkout", "installs"),
    [(True, "pip install path/to/ephemera -r"), (False, "pip install -r")],
)
def test_a_new_application_says_how_this_ephemera_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_checkout: bool, installs: str
) -> None:
    monkeypatch.setattr(creating, "is_from_no_index", lambda: from_checkout)
    readme = (create(tmp_path, "my-shop", "flask") / "README.md").read_text()
    assert f"\n{installs} requirements-dev.txt\n" in readme


@pytest.mark.parametrize(
    ("framework", "command"),
    [
        ("flask", "gunicorn --preload --threads 8 app:app"),
        ("fastapi", "uvicorn main:app"),
        ("django", "gunicorn --preload --threads 8 my_shop.wsgi:application"),
    ],
)
def test_a_new_application_can_be_launched_with_nothing_to_add(
    tmp_path: Path, framework: str, command: str
) -> None:
    made = plan(create(tmp_path, "my-shop", framework), Wishes())
    assert {file.state for file in made.files} == {State.NEW}
    assert made.app == "my-shop"
    assert (made.folder / ".gitignore").exists()
    assert command in made.found[0]
    assert made.notes == ()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_new_application_is_checked_and_formatted(tmp_path: Path, framework: str) -> None:
    folder = create(tmp_path, "my-shop", framework)
    ruff = Path(sys.executable).with_name("ruff")
    for arguments in (["check", "--select", "E,F,I,W,UP,B"], ["format", "--check"]):
        done = subprocess.run(
            [ruff, *arguments, "--isolated", "--no-cache"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "framework", "problem"),
    [
        ("9lives", "flask", "cannot be called '9lives'"),
        ("a/b", "flask", "cannot be called"),
        ("..", "flask", "cannot be called"),
        ("a" * 51, "flask", "cannot be called"),
        ("class", "flask", "a word of Python"),
        ("json", "django", "a package 'json' already"),
        ("jobs", "django", "a package 'jobs' already"),
        ("shop", "rails", "no framework 'rails'"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    tmp_path: Path, name: str, framework: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        create(tmp_path, name, framework)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    with pytest.raises(ConfigError, match=r"there is a .*shop already"):
        create(tmp_path, "shop", "flask")
    assert list((tmp_path / "shop").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        create(tmp_path / "nowhere", "shop", "flask")
