"""`ephemera demo`: the main job, end to end, and nothing left behind however it ends."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from ephemera.cli.takedown import take_down
from tests.acceptance.command_line import CommandLine, must_be_gone

TIMESTAMP = re.compile(r"^\d\d-\d\d-\d{4} \d\d:\d\d:\d\d\.\d{9} UTC$", re.MULTILINE)


@pytest.fixture
def demo(tmp_path: Path) -> CommandLine:
    """The command line where temporary folders are made in `tmp_path`, which is empty."""
    return CommandLine(tmp_path / "unused")


def test_the_main_job_works_end_to_end(demo: CommandLine, tmp_path: Path) -> None:
    shown = demo("demo").stdout
    assert len(TIMESTAMP.findall(shown)) == 2
    assert re.search(r"[\d.]+ ms from /job/start to /job/complete", shown)
    assert re.search(r"the job succeeded; its machine [0-9a-f]{14} is destroyed", shown)
    assert re.search(r"runner\[\w+\] local \[info\]machine exited with exit code 0", shown)
    assert "nothing is left running" in shown
    assert list(tmp_path.iterdir()) == []
    must_be_gone(tmp_path)


def test_the_demo_can_be_left_running_to_look_around(demo: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    try:
        shown = demo("demo", "--keep", "--home", str(folder)).stdout
        assert f"EPHEMERA_HOME={folder}" in shown
        demo.environment["EPHEMERA_HOME"] = str(folder)
        assert "1 started" in demo("status").stdout
        assert "succeeded" in demo("jobs", "list").stdout
    finally:
        take_down(folder, grace=0, tell=print)


@pytest.mark.parametrize(
    ("moment", "signum", "code"),
    [
        ("the platform serves", signal.SIGINT, 130),
        ("the web application answers", signal.SIGTERM, 143),
    ],
)
def test_a_demo_that_is_interrupted_takes_back_what_it_has_begun(
    demo: CommandLine, tmp_path: Path, moment: str, signum: signal.Signals, code: int
) -> None:
    with demo.running("demo") as process:
        assert process.stdout
        while moment not in (line := process.stdout.readline()):
            assert line, process.stderr.read() if process.stderr else ""
        process.send_signal(signum)
        _, said = process.communicate()
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    must_be_gone(tmp_path)


def test_a_folder_with_something_in_it_is_not_used(demo: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    assert "not empty" in demo("demo", "--home", str(tmp_path), code=1).stderr
    assert (tmp_path / "precious").exists()
