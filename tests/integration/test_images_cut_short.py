"""A machine whose image is slow to come can be ended at once, and so can a pull by hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera.testing.serving import Server, serving
from tests import images, needs
from tests.images import Built
from tests.slow_registry import SlowRegistry, slow_registry

pytestmark = [pytest.mark.root, pytest.mark.crun, needs.root, needs.crun]

#: Long enough for a slow computer, and never waited for where all is well.
TIMEOUT_S = 100.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home"), driver="container") as served:
        yield served


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx2.Client]:
    """A client that is in the app `shop`."""
    base = f"{server.endpoint.url}/v1"
    with httpx2.Client(base_url=base, headers=server.headers, timeout=TIMEOUT_S) as client:
        body = {"app_name": "shop", "org_slug": "personal"}
        client.post("/apps", json=body).raise_for_status()
        yield client


@pytest.fixture
def slow() -> Iterator[SlowRegistry]:
    """A registry that stops in the middle of the only layer of its image."""
    with slow_registry(big()) as found:
        yield found


def big() -> Built:
    """Return an image of which something is on the disk before half of it has come."""
    content = os.urandom(4_000_000)
    return images.build(images.layer(images.file("big", content), compression=""))


def until(is_so: Callable[[], object]) -> None:
    """Return when something is so that nobody tells of."""
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def unfinished(server: Server) -> list[Path]:
    """Return what there is of layers that are not whole."""
    return [*(server.home / "images/unfinished").iterdir()]


def unpacking(server: Server) -> bool:
    """Whether some of a layer is there."""
    return any((one / "big").exists() for one in unfinished(server))


def created(http: httpx2.Client, image: str) -> str:
    config = {"image": image, "restart": {"policy": "no"}}
    return str(
        http.post("/apps/shop/machines", json={"config": config}).raise_for_status().json()["id"]
    )


def events(http: httpx2.Client, machine: str) -> list[dict[str, Any]]:
    found = http.get(f"/apps/shop/machines/{machine}").raise_for_status().json()["events"]
    return list(found)


def begun(server: Server, begin: Callable[[], Any]) -> Any:
    """Have a pull begin; return when some of the layer is there, and no more of it comes."""
    until(lambda: not unfinished(server))
    result = begin()
    until(lambda: unpacking(server))
    return result


def test_a_machine_can_be_stopped_before_the_registry_has_answered(http: httpx2.Client) -> None:
    with slow_registry(big(), silent=True) as silent:
        machine = created(http, silent.reference)
        http.post(f"/apps/shop/machines/{machine}/stop").raise_for_status()
        http.get(f"/apps/shop/machines/{machine}/wait?state=stopped&timeout=30").raise_for_status()
    failed = events(http, machine)[0]
    assert (failed["type"], failed["status"]) == ("start", "failed")
    assert failed["request"]["code"] == "cancelled"
    assert "was told to end" in failed["request"]["error"]


def test_a_machine_can_be_destroyed_while_its_image_is_unpacked(
    server: Server, http: httpx2.Client, slow: SlowRegistry
) -> None:
    machine = begun(server, lambda: created(http, slow.reference))
    http.delete(f"/apps/shop/machines/{machine}?force=true").raise_for_status()
    http.get(f"/apps/shop/machines/{machine}/wait?state=destroyed&timeout=30").raise_for_status()
    until(lambda: not unfinished(server))


def test_a_pull_goes_on_for_a_machine_that_still_waits_for_it(
    server: Server, http: httpx2.Client, slow: SlowRegistry
) -> None:
    one = begun(server, lambda: created(http, slow.reference))
    other = created(http, slow.reference)
    http.delete(f"/apps/shop/machines/{one}?force=true").raise_for_status()
    http.get(f"/apps/shop/machines/{one}/wait?state=destroyed&timeout=30").raise_for_status()
    slow.go_on()
    # Its image has no program: that was found out, so the image was there.
    http.get(f"/apps/shop/machines/{other}/wait?state=failed&timeout=30")
    assert events(http, other)[0]["request"]["code"] == "boot_failed"
    assert slow.layers_asked == 1


def test_a_pull_by_hand_ends_with_the_command(server: Server, slow: SlowRegistry) -> None:
    command = [sys.executable, "-m", "ephemera", "images", "pull", slow.reference]
    environment = os.environ | {"EPHEMERA_HOME": str(server.home)}

    def begin() -> subprocess.Popen[str]:
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    pull = begun(server, begin)
    pull.send_signal(signal.SIGINT)
    _, said = pull.communicate(timeout=TIMEOUT_S)
    assert pull.returncode == 130
    assert "Traceback" not in said
    until(lambda: not unfinished(server))
