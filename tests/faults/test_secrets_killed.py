"""The platform is killed at each of the writes of secrets and secret keys.

What must hold each time, once it serves again: the write is there whole, with the version that it
makes, or nothing of it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ephemera.testing.serving import Server, serving
from tests.faults.mortality import FEW_ROUNDS, dying_at

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

_TIMEOUT_S = 30
#: More than a platform writes before it serves.
_START_WRITES_MAX = 20
_SECRETS, _KEY = "/v1/apps/demo/secrets", "/v1/apps/demo/secretkeys/key"
#: A write, and what it does to the names of the secrets and of the keys.
WRITES: list[tuple[str, str, Any, set[str], set[str]]] = [
    ("POST", _SECRETS, {"values": {"A": None, "B": "x", "C": "y"}}, {"B", "C"}, {"key"}),
    ("POST", f"{_SECRETS}/D", {"value": "z"}, {"A", "D"}, {"key"}),
    ("DELETE", f"{_SECRETS}/A", None, set(), {"key"}),
    ("POST", "/v1/apps/demo/secretkeys/new/generate", {"type": "es256"}, {"A"}, {"key", "new"}),
    ("DELETE", _KEY, None, {"A"}, set()),
]
#: Where time is short, the first write of secrets, a removal, and a removal of a key.
_EVERY = 2 if FEW_ROUNDS else 1


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "home", driver="mock") as server:
        with _connected(server) as http:
            http.post("/v1/apps", json={"app_name": "demo"}).raise_for_status()
            http.post(_SECRETS, json={"values": {"A": "x"}}).raise_for_status()
            http.post(f"{_KEY}/generate", json={"type": "hs256"}).raise_for_status()
        yield server


def _connected(server: Server) -> httpx2.Client:
    url = server.endpoint.url
    return httpx2.Client(base_url=url, headers=server.headers, timeout=_TIMEOUT_S, verify=False)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> int:
    """The number of the first write that a platform does not make to come up again."""
    with serving(tmp_path_factory.mktemp("counted") / "home", driver="mock") as server:
        for number in range(1, _START_WRITES_MAX):
            with dying_at(number, "before", server) as mortal:
                if mortal.poll() is None:
                    return number
    pytest.fail("it writes for ever when it starts")


@contextmanager
def _dying_at_its_next_write(
    server: Server, first: int, when: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the folder in the place of `server`, by a platform that dies at its next write."""
    for number in range(first, _START_WRITES_MAX):
        with dying_at(number, when, server) as mortal:
            if mortal.poll() is None:
                yield mortal
                return
    pytest.fail("it writes for ever when it starts")


def _state(server: Server) -> tuple[int, set[str], set[str]]:
    with _connected(server) as http:
        secrets = http.get(_SECRETS).raise_for_status().json()["secrets"]
        keys = http.get("/v1/apps/demo/secretkeys").raise_for_status().json()["secret_keys"]
        written = http.post(_SECRETS, json={"values": {"LAST": "x"}}).raise_for_status()
    names, key_names = ({one["name"] for one in found} for found in (secrets, keys))
    return written.json()["version"] - 1, names, key_names


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("method", "path", "body", "secrets", "keys"),
    WRITES[::_EVERY],
    ids=["many", "one", "removal", "new key", "removal of a key"][::_EVERY],
)
def test_a_write_is_there_whole_or_not_at_all(
    server: Server,
    first: int,
    when: str,
    method: str,
    path: str,
    body: Any,
    secrets: set[str],
    keys: set[str],
) -> None:
    with _dying_at_its_next_write(server, first, when) as mortal:
        with _connected(server) as http, pytest.raises(httpx2.TransportError):
            http.request(method, path, json=body)
        assert mortal.wait(_TIMEOUT_S) == -9
    server.restart()
    expected = (3, secrets, keys) if when == "after" else (2, {"A"}, {"key"})
    assert _state(server) == expected
