"""A test that needs something of the computer may be skipped, but not in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_SKIPPED = """
import pytest

@pytest.mark.{mark}
@pytest.mark.skipif(True, reason="there is no crun: apt-get install crun")
def test_something():
    pass
"""
_INI = (
    "[pytest]\naddopts = -ra\nmarkers =\n    crun: x\n    root: x\n    browser: x\n    other: x\n"
)


def run(folder: Path, mark: str, ci: str | None) -> subprocess.CompletedProcess[str]:
    """Run pytest on a test that is skipped, with the hooks of our own tests."""
    (folder / "pytest.ini").write_text(_INI)
    (folder / "test_it.py").write_text(_SKIPPED.format(mark=mark))
    env = {name: value for name, value in os.environ.items() if name != "CI"}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    if ci is not None:
        env["CI"] = ci
    arguments = ["-q", "-p", "tests.skips", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "-c", str(folder / "pytest.ini"), str(folder)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("mark", ["crun", "root", "browser"])
def test_in_ci_a_test_that_is_skipped_for_want_of_something_fails(
    tmp_path: Path, mark: str
) -> None:
    done = run(tmp_path, mark, "true")
    assert done.returncode == 1, done.stdout
    assert f"marked {mark} is not skipped in CI: Skipped: there is no crun" in done.stdout


def test_in_ci_other_tests_may_be_skipped(tmp_path: Path) -> None:
    assert run(tmp_path, "other", "true").returncode == 0


@pytest.mark.parametrize("ci", [None, "false"])
def test_elsewhere_the_end_of_the_run_says_what_was_skipped_and_why(
    tmp_path: Path, ci: str | None
) -> None:
    done = run(tmp_path, "crun", ci)
    assert done.returncode == 0, done.stdout
    assert "SKIPPED [1]" in done.stdout
    assert "there is no crun: apt-get install crun" in done.stdout
