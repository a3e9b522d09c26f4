"""`make conformance URL=...` says at once, and once, what is wrong with the words it was given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ephemera.testing.serving import Server
from tests.docs.markdown import ROOT


def conformance(url: str, token: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run what `make conformance` runs where it is given a URL."""
    words = {"EPHEMERA_CONFORMANCE_URL": url, "EPHEMERA_CONFORMANCE_TOKEN": token}
    options = ("-p", "no:cacheprovider", "--basetemp", str(folder))
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests/conformance/test_server.py"],
        env={**os.environ, **words},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_url_where_nobody_answers_ends_the_run(tmp_path: Path) -> None:
    done = conformance("http://127.0.0.1:1", "any", tmp_path / "run")
    assert done.returncode == 1
    assert "URL=http://127.0.0.1:1 gives no answer" in done.stdout + done.stderr
    assert "test_server.py::" not in done.stdout


def test_a_token_that_is_not_taken_ends_the_run(server: Server, tmp_path: Path) -> None:
    done = conformance(server.endpoint.url, "not-one-of-its-own", tmp_path / "run")
    assert done.returncode == 1
    assert "does not take TOKEN or ORG: 401" in done.stdout + done.stderr
    assert "not-one-of-its-own" not in done.stdout + done.stderr
