"""`ephemera deploy` where machines are containers, of images that it has built and pushed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import needs
from tests.acceptance.command_line import CommandLine
from tests.acceptance.project import Project, asking
from tests.python_base import python_base
from tests.registry import Registry

pytestmark = [pytest.mark.root, pytest.mark.crun, needs.root, needs.crun, needs.registry]


@pytest.fixture
def project(ephemera: CommandLine, registry: Registry, tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    made = Project(ephemera, folder, "shop", python="python3")
    (folder / "requirements.txt").write_text("")
    made.file(f'[build]\nbase = "{registry.push("python", python_base())}"')
    ephemera("up", "--driver", "container", "--detach", "--listen", "127.0.0.1:0")
    return made


@pytest.mark.timeout(120)
def test_an_app_is_built_and_deployed_with_no_request_lost(project: Project) -> None:
    first = project("deploy")
    assert first.stdout.startswith("http://shop.localhost:"), first.stderr
    with asking(project) as answers:
        project.says("two")
        second = json.loads(project("deploy", "--json").stdout)
    assert second["image"].startswith("registry.localhost/shop:deployment-")
    assert set(answers) == {(200, "one"), (200, "two")}
    project("rollback")
    assert project.answer() == "one"
