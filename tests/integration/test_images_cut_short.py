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
from ephemera.wire.ids import new_machine_name
from tests import images, needs
from tests.images import Built
from tests.registry import Registry, running_registry

pytestmark = [pytest.mark.root, pytest.mark.crun, needs.root, needs.crun, needs.registry]

#: Long enough for a slow computer, and never waited for where all is well.
TIMEOUT_S = 40.0


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


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def slow(running: Registry) -> Iterator[Registry]:
    """A registry that may be paused, and is resumed at the end."""
    yield running
    running.resume()


def pushed(registry: Registry) -> str:
    """Return the reference of an image that takes more than what sockets hold."""
    return registry.push(new_machine_name(), big())


def big() -> Built:
    content = os.urandom(1_000_000) + bytes(40_000_000)
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


def paused_while_unpacking(server: Server, slow: Registry, begin: Callable[[], Any]) -> Any:
    """Have a pull begin, and the registry pause in the middle of the layer."""
    until(lambda: not unfinished(server))
    result = begin()
    until(lambda: unpacking(server))
    slow.pause()
    return result


def test_a_machine_can_be_stopped_before_the_registry_has_answered(
    server: Server, http: httpx2.Client, slow: Registry
) -> None:
    reference = pushed(slow)
    slow.pause()
    machine = created(http, reference)
    http.post(f"/apps/shop/machines/{machine}/stop").raise_for_status()
    http.get(f"/apps/shop/machines/{machine}/wait?state=stopped&timeout=30").raise_for_status()
    failed = events(http, machine)[0]
    assert (failed["type"], failed["status"]) == ("start", "failed")
    assert failed["request"]["code"] == "cancelled"
    assert "was told to end" in failed["request"]["error"]


def test_a_machine_can_be_destroyed_while_its_image_is_unpacked(
    server: Server, http: httpx2.Client, slow: Registry
) -> None:
    reference = pushed(slow)
    machine = paused_while_unpacking(server, slow, lambda: created(http, reference))
    http.delete(f"/apps/shop/machines/{machine}?force=true").raise_for_status()
    http.get(f"/apps/shop/machines/{machine}/wait?state=destroyed&timeout=30").raise_for_status()
    until(lambda: not unfinished(server))


def test_a_pull_goes_on_for_a_machine_that_still_waits_for_it(
    server: Server, http: httpx2.Client, slow: Registry
) -> None:
    built = big()
    reference = slow.push(new_machine_name(), built)
    one = paused_while_unpacking(server, slow, lambda: created(http, reference))
    other = created(http, reference)
    http.delete(f"/apps/shop/machines/{one}?force=true").raise_for_status()
    http.get(f"/apps/shop/machines/{one}/wait?state=destroyed&timeout=30").raise_for_status()
    slow.resume()
    # Its image has no program: that was found out, so the image was there.
    http.get(f"/apps/shop/machines/{other}/wait?state=failed&timeout=30")
    assert events(http, other)[0]["request"]["code"] == "boot_failed"
    assert slow.requests("GET", built.blobs[1].digest) == 1


def test_a_pull_by_hand_ends_with_the_command(server: Server, slow: Registry) -> None:
    reference = pushed(slow)
    command = [sys.executable, "-m", "ephemera", "images", "pull", reference]
    environment = os.environ | {"EPHEMERA_HOME": str(server.home)}

    def begin() -> subprocess.Popen[str]:
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    pull = paused_while_unpacking(server, slow, begin)
    pull.send_signal(signal.SIGINT)
    _, said = pull.communicate(timeout=TIMEOUT_S)
    assert pull.returncode == 130
    assert "Traceback" not in said
    until(lambda: not unfinished(server))
