"""What an attempt's machine is asked for."""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from ephemera.jobs.machine import RUNNER_PATH, config_of
from ephemera.jobs.records import HostPlace, Identity, JobRecord, TaskRef, Work, new_attempt
from ephemera.runner import runner

SOURCE = Path(runner.__file__).read_bytes()
TASK = Work("jobs", "python:3", task=TaskRef("tasks", "f"))


def sent_runner(work: Work) -> bytes:
    """Return the runner as it is sent along."""
    attempt = new_attempt(JobRecord("job", work, created_at=0), now=0)
    config = config_of(work, attempt, Identity("store", b"secret"), patience_s=1)
    (sent,) = [file for file in config.files or () if file.guest_path == RUNNER_PATH]
    return base64.b64decode(sent.raw_value or "")


def on_host(python: str) -> Work:
    return replace(TASK, image="host", host=HostPlace(python, (), "/", {}))


def test_the_volume_of_a_task_is_mounted() -> None:
    attempt = new_attempt(JobRecord("job", TASK, created_at=0), now=0)
    work = replace(TASK, volume="vol_1:/data:x")
    config = config_of(work, attempt, Identity("store", b"secret"), patience_s=1)
    assert [(one.volume, one.path) for one in config.mounts or ()] == [("vol_1", "/data:x")]


def test_an_image_is_sent_the_source_of_the_runner() -> None:
    assert sent_runner(TASK) == SOURCE


def test_another_interpreter_than_ours_is_sent_the_source() -> None:
    assert sent_runner(on_host("/usr/bin/python3.99")) == SOURCE


def test_our_own_interpreter_is_sent_what_it_need_not_compile(tmp_path: Path) -> None:
    sent = sent_runner(on_host(sys.executable))
    assert b"def run(" not in sent
    (tmp_path / "runner.py").write_bytes(sent)
    ran = subprocess.run(
        [sys.executable, tmp_path / "runner.py", "--pull", tmp_path / "payload.json", "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
