"""A machine that fills the computer's disk is ended, and says so; others go on."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from ephemera.testing.serving import Server, serving
from tests import needs

pytestmark = [
    *(pytest.mark.root, pytest.mark.crun, needs.root, needs.crun, needs.ext4, needs.loop),
]

#: Long enough for a slow computer, and never waited for where all is well.
TIMEOUT_S = 60.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 150 MB, with a file system as most computers have it."""
    image, folder = tmp_path / "disk.img", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(150_000_000)
    made_with = needs.which("mkfs.ext4")
    assert made_with
    subprocess.run([made_with, "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def server(small_disk: Path) -> Iterator[Server]:
    with serving(small_disk / "home", driver="container") as served:
        yield served


def test_a_machine_that_fills_the_disk_is_ended_and_no_other_is_started(server: Server) -> None:
    base = f"{server.endpoint.url}/v1"
    with httpx2.Client(base_url=base, headers=server.headers, timeout=TIMEOUT_S) as http:
        http.post("/apps", json={"app_name": "shop", "org_slug": "personal"}).raise_for_status()
        still = created(http, "exec sleep 1000")
        http.get(f"{still}/wait?state=started&timeout=60").raise_for_status()
        greedy = created(http, "cat /dev/zero >/var/tmp/fill; exec sleep 1000")
        http.get(f"{greedy}/wait?state=stopped&timeout=60").raise_for_status()
        end = http.get(greedy).json()["events"][0]["request"]["exit_event"]
        assert end["error"].startswith("disk full: the disk has ")
        assert (end["exit_code"], end["requested_stop"]) == (137, False)
        refused = http.post("/apps/shop/machines", json={"config": config("true")})
        assert (refused.status_code, refused.json()["status"]) == (409, "insufficient_capacity")
        assert "insufficient disk" in refused.json()["error"]
        assert http.get(still).json()["state"] == "started"
        http.delete(greedy).raise_for_status()
        http.get(f"{greedy}/wait?state=destroyed&timeout=60").raise_for_status()
        # The kernel lets go of what was deleted when it comes to it.
        deadline = time.monotonic() + TIMEOUT_S
        while http.post("/apps/shop/machines", json={"config": config("true")}).is_error:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def config(script: str) -> dict[str, object]:
    program = {"exec": ["sh", "-c", script]}
    return {"image": "host", "init": program, "restart": {"policy": "no"}}


def created(http: httpx2.Client, script: str) -> str:
    """Return the path of a machine that runs a script of the shell."""
    made = http.post("/apps/shop/machines", json={"config": config(script)}).raise_for_status()
    return f"/apps/shop/machines/{made.json()['id']}"
