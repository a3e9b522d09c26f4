"""`ephemera deploy`, `releases`, `rollback` and `scale`, as a user has them."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ephemera import Client
from ephemera.errors import NotFound
from tests.acceptance.command_line import CommandLine
from tests.acceptance.project import Project, asking, patience_ends_when


@pytest.fixture(scope="module")
def client(shared_client: Client) -> Client:
    return shared_client


@pytest.fixture
def project(shared: CommandLine, client: Client, tmp_path: Path) -> Iterator[Project]:
    """A project that was never deployed."""
    yield Project(shared, tmp_path, "shop")
    with suppress(NotFound):
        client.apps.delete("shop", force=True)


@pytest.fixture(scope="module")
def deployed(
    shared: CommandLine, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A project whose release serves, and answers `one`."""
    project = Project(shared, tmp_path_factory.mktemp("project"), "store")
    project("deploy")
    yield project
    client.apps.delete("store", force=True)


def test_an_app_is_deployed_and_deployed_again_with_no_request_lost(project: Project) -> None:
    first = project("deploy")
    assert first.stdout.startswith("http://shop.localhost:")
    assert "release v1 of shop runs" in first.stderr
    with asking(project) as answers:
        project.says("two")
        done = json.loads(project("deploy", "--json").stdout)
        (row,) = json.loads(project("scale", "count", "2", "--json").stdout)
        project.says("three")
        project("deploy")
    assert (done["app"], done["version"], done["strategy"]) == ("shop", 2, "rolling")
    assert (row["group"], row["count"], row["memory_mb"]) == ("app", 2, 256)
    assert set(answers) == {(200, "one"), (200, "two"), (200, "three")}
    project("rollback", "v2")
    assert project.answer() == "two"
    listed = project("releases").stdout.splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [
        [f"v{version}", "succeeded"] for version in (4, 3, 2, 1)
    ]
    assert "rollback to v2" in listed[1]


def test_a_program_that_ends_is_no_release(deployed: Project) -> None:
    deployed.file(**{"server.py": "nothing.py"})
    said = deployed("deploy", code=1).stderr
    assert "ended by itself with exit code 2" in said
    assert "can't open file" in said, "its log is shown"
    assert deployed.answer() == "one"


def test_a_check_that_does_not_pass_is_named(deployed: Project) -> None:
    deployed.file(**{'"GET"': '"POST"'})
    with patience_ends_when("501"):
        said = deployed("deploy", "--wait-timeout", "5m", code=1).stderr
    assert "does not pass its checks" in said
    assert "501 Unsupported method" in said
    assert deployed.answer() == "one"


def test_a_port_that_nobody_listens_on_is_named(deployed: Project) -> None:
    deployed.file(**{"server.py": "deaf.py"})
    with patience_ends_when("is not listening"):
        said = deployed("deploy", "--wait-timeout", "5m", code=1).stderr
    assert "is not listening on 0.0.0.0:" in said
    assert deployed.answer() == "one"


def test_a_release_command_that_fails_is_no_release(deployed: Project) -> None:
    deployed.file("[deploy]\nrelease_command = \"sh -c 'ls; exit 3'\"")
    said = deployed("deploy", code=1).stderr
    assert "  server.py" in said
    assert "the release command failed with exit code 3" in said
    machine = said.split("ephemera machine inspect ")[1].split("`")[0]
    assert "exit code 3" in deployed("machine", "inspect", machine).stdout
    assert deployed.answer() == "one"


def test_two_deploys_are_not_made_at_once(deployed: Project, client: Client) -> None:
    (machine,) = (one for one in client.machines.list("store") if one.state == "started")
    with client.leases.hold("store", machine.id, description="a deploy by nobody"):
        said = deployed("deploy", code=1).stderr
    assert "app 'store' is busy with a deploy by nobody" in said
    assert "--wait" in said


def test_a_deploy_that_is_interrupted_is_undone(deployed: Project) -> None:
    deployed.file(**{"server.py": "deaf.py"})
    status, said = deployed.cut_short(signal.SIGINT)
    assert status == 130
    assert "interrupted: going back" in said
    assert deployed.answer() == "one"
    found = json.loads(deployed("machine", "list", "--json").stdout)
    assert len([one for one in found if one["state"] == "started"]) == 1


def test_a_deploy_that_is_killed_is_put_right_by_the_next_one(
    deployed: Project, client: Client
) -> None:
    deployed.file(**{"server.py": "deaf.py"})
    deployed.cut_short(signal.SIGKILL)
    assert deployed.answer() == "one"
    for machine in client.machines.list("store"):  # also one that is being started yet
        with suppress(NotFound):  # it has none; those that are left end by themselves in 13 s
            lease = client.leases.get("store", machine.id)
            client.leases.release("store", machine.id, lease.nonce)
    deployed.file()
    deployed.says("two")
    assert "was cut short: putting it right" in deployed("deploy").stderr
    assert deployed.answer() == "two"
    newest, killed, *_ = json.loads(deployed("releases", "--json").stdout)
    assert (newest["status"], killed["status"]) == ("succeeded", "interrupted")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("rollback",), "app not found"),
        (("deploy", "--region", "nowhere"), "no region 'nowhere'"),
    ],
)
def test_what_is_wrong_is_said(project: Project, arguments: tuple[str, ...], why: str) -> None:
    assert why in project(*arguments, code=1).stderr
