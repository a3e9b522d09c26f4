"""The pytest plug-in, as the test run of an application has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

APPLICATION_TESTS = """
from ephemera import Client, Job, command


def test_a_job(ephemera_platform):
    assert command(["true"]).enqueue().wait(timeout=60).ok
    assert len(Job.list()) == 1
    assert Client().locate() == ephemera_platform.url
"""

#: Each would lead a job of the tests somewhere else, or nowhere.
ELSEWHERE = {
    "EPHEMERA_API_SOCKET": "/no/such/socket",
    "EPHEMERA_STORE": "sqlite:////no/such/folder/jobs.db",
    "EPHEMERA_SUPERVISE": "0",
    "FLY_API_TOKEN": "a-token",
    "FLY_APP_NAME": "Not A Name",
    "FLY_FLAPS_BASE_URL": "http://127.0.0.1:1",
    "FLY_IMAGE_REF": "registry.fly.io/shop:1",
    "FLY_MACHINE_ID": "148e1d0c",
}


def test_the_tests_of_an_application_have_a_platform_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "test_application.py").write_text(APPLICATION_TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **ELSEWHERE},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
