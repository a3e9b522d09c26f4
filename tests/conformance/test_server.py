"""The contract of the Machines API, against a server that somebody named: Fly.io, or any other.

The environment says which, see docs/howto/conformance.md. Every test makes an app of its own with
one or two machines of the smallest size, and destroys it.
"""

from __future__ import annotations

import json
import os

import httpx2
import pytest

from ephemera import Client
from ephemera.testing import machines_api as suite
from ephemera.testing.machines_api import AppUnderTest, Contract, Subject

#: Parts of the suite that are not for every server, with the reason.
ONLY_OURS = {
    "LimitsContract": "what is asked too often is asked again here",
    "LogsContract": "logs are not read from the Machines API on Fly.io",
    "LoopbackAddressesContract": "addresses of this computer",
    "NoAuthorityContract": "on Fly.io there is an authority",
}
_SMALLEST = '{"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}'


def _environment(name: str, default: str = "") -> str:
    return os.environ.get(f"EPHEMERA_CONFORMANCE_{name}") or default


@pytest.fixture(scope="session")
def machines_api() -> Subject:
    subject = Subject(
        _environment("URL").rstrip("/"),
        _environment("TOKEN"),
        org=_environment("ORG", "personal"),
        image=_environment("IMAGE", "registry-1.docker.io/library/busybox:latest"),
        guest=json.loads(_environment("GUEST", _SMALLEST)),
        limited=True,
    )
    _check_that_it_lets_us_in(subject)
    return subject


def _check_that_it_lets_us_in(subject: Subject) -> None:
    """End the run if nothing can come of it, where every single test would say the same."""
    try:
        with subject.connect() as http:
            answer = http.get("/v1/apps", params={"org_slug": subject.org})
    except httpx2.HTTPError as error:
        pytest.exit(f"URL={subject.base_url} gives no answer: {error}", returncode=1)
    if not answer.is_success:
        said = f"{answer.status_code}: {answer.text[:200]}"
        pytest.exit(f"URL={subject.base_url} does not take TOKEN or ORG: {said}", returncode=1)


for _name in suite.__all__:
    if _name.removesuffix("Contract") not in ("", _name) and _name not in ONLY_OURS:
        _test = f"Test{_name.removesuffix('Contract')}"
        globals()[_test] = type(_test, (getattr(suite, _name),), {})


class TestClient(Contract):
    """Our client, where nothing of ours answers."""

    def test_a_machine_lives_its_life(self, app: AppUnderTest) -> None:
        subject = app.subject
        with Client(subject.base_url, subject.token) as client:
            config = app.config(subject.programs.runs)
            machine = client.machines.create(app.name, config=config)
            client.machines.wait(app.name, machine.id, "started")
            done = client.machines.exec(app.name, machine.id, subject.programs.prints(["hello"]))
            assert done.stdout.strip() == "hello"
            client.machines.stop(app.name, machine.id)
            client.machines.wait(app.name, machine.id, "stopped")
            client.machines.destroy(app.name, machine.id, force=True)
            client.machines.wait(app.name, machine.id, "destroyed")
