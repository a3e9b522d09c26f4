"""An app that was built without a container runs in one: on a platform, from its own registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.client import Client
from ephemera.deploy.build import Destination
from ephemera.testing.serving import serving
from ephemera.wire.models import MachineConfig
from tests import needs
from tests.building import project_in
from tests.python_base import python_base
from tests.registry import Registry

pytestmark = [pytest.mark.root, pytest.mark.crun, needs.root, needs.crun, needs.registry]

_APP = """\
import os, sys
import greeting, inside
print(greeting.WORD, greeting.__cached__, inside.WORD, os.getcwd(), os.getuid(), sys.prefix)
open("written", "w").close()
os.execvp("greet", ["greet"])
"""


def test_an_app_runs_with_its_dependencies_as_an_ordinary_user(
    tmp_path: Path, registry: Registry
) -> None:
    project = project_in(tmp_path)
    project.write("app.py", _APP)
    project.write("src/inside.py", "WORD = 'inside'\n")
    base = registry.push("python", python_base())
    with serving(tmp_path / "platform", driver="container") as server:
        address = server.endpoint.url.removeprefix("http://")
        client = Client(url=server.endpoint.url, token=server.token)
        client.apps.create(project.app)
        to = Destination.platform(address, server.token)
        built, _ = project.build(base, "", destination=to)
        config = MachineConfig.model_validate({"image": built.image, "restart": {"policy": "no"}})
        machine = client.machines.create(project.app, config=config)
        client.machines.wait(project.app, machine.id, "stopped")
        found = client.machines.get(project.app, machine.id)
        lines = [one.message for one in client.logs.follow(project.app, tail=False)]
    assert found.image_ref
    assert found.image_ref.digest == built.digest
    said = next(line for line in lines if line.startswith("hello /opt"))
    cached = said.split()[1]
    assert cached.startswith("/opt/venv/lib/")
    assert said.split()[2:] == ["inside", "/app", "1000", "/opt/venv"]
    assert "hello" in lines
