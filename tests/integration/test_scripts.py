"""Scripts that enqueue and end: nothing else runs that could tidy up after them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera.testing.serving import Server, serving

TASK = """
from ephemera import task

@task
def add_one(number: int) -> int:
    return number + 1
"""
SHORT = f'{TASK}\nif __name__ == "__main__":\n    print(add_one.enqueue(1).result(60))\n'
ENDLESS = f"{TASK}\nprint(add_one.enqueue(1).result(60))\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home")) as server:
        yield server


def _run(
    server: Server, folder: Path, program: str, *, from_stdin: bool = False
) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(program)
    environ = {name: value for name, value in os.environ.items() if name[:3] != "FLY"}
    return subprocess.run(
        [sys.executable, "-" if from_stdin else str(script)],
        input=program if from_stdin else None,
        env={
            **environ,
            "EPHEMERA_HOME": str(server.home),
            "EPHEMERA_URL": server.endpoint.url,
            "EPHEMERA_STORE": f"sqlite:///{folder / 'jobs.db'}",
            "EPHEMERA_APP": folder.name.replace("_", "-"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _machines(server: Server, folder: Path) -> list[dict[str, Any]]:
    """Return all machines that a script had."""
    app = folder.name.replace("_", "-")
    answer = _get(server, f"/v1/apps/{app}/machines?include_deleted=true")
    return list(answer.raise_for_status().json())


def _get(server: Server, path: str) -> httpx2.Response:
    return httpx2.get(f"{server.endpoint.url}{path}", headers=server.headers, timeout=40)


def test_a_short_script_leaves_no_machine_behind(server: Server, tmp_path: Path) -> None:
    ran = _run(server, tmp_path, SHORT)
    assert (ran.stdout, ran.returncode) == ("2\n", 0), ran.stderr
    (machine,) = _machines(server, tmp_path)
    assert machine["state"] in ("destroying", "destroyed")  # nobody is left to ask for it
    app = tmp_path.name.replace("_", "-")
    gone = f"/v1/apps/{app}/machines/{machine['id']}/wait?state=destroyed&timeout=30"
    assert _get(server, gone).is_success


def test_a_script_that_enqueues_when_it_is_imported_does_not_do_so_without_end(
    server: Server, tmp_path: Path
) -> None:
    ran = _run(server, tmp_path, ENDLESS)
    assert ran.returncode == 1
    assert "a job was enqueued by a module that is being imported" in ran.stderr
    assert 'under `if __name__ == "__main__":`' in ran.stderr
    assert len(_machines(server, tmp_path)) == 1


def test_a_program_that_is_in_no_file_cannot_have_tasks(server: Server, tmp_path: Path) -> None:
    ran = _run(server, tmp_path, SHORT, from_stdin=True)
    assert ran.returncode == 1
    assert "it was typed at a prompt and is in no file" in ran.stderr
