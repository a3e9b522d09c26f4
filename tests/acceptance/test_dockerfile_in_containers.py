"""A new application, the `Dockerfile` that is generated for it, and a machine of its image.

The base image stands in for the one of Docker Hub. All else is as a user has it.
"""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from ephemera import Client
from ephemera.home import read_endpoint, read_token
from tests import needs
from tests.acceptance.command_line import CommandLine
from tests.acceptance.inside import Inside
from tests.registry import Registry
from tests.slim_base import for_buildah, slim_base

pytestmark = [
    pytest.mark.root,
    pytest.mark.crun,
    needs.root,
    needs.crun,
    needs.buildah,
    needs.busybox,
    needs.registry,
]


@pytest.mark.timeout(600)
def test_a_new_app_is_built_of_its_dockerfile_and_served_by_an_ordinary_user(
    ephemera: CommandLine, registry: Registry, tmp_path: Path
) -> None:
    ephemera("up", "--driver", "container", "--detach", "--listen", "127.0.0.1:0")
    Inside(ephemera, tmp_path)("new", "shop", "--framework", "flask")
    project = Inside(ephemera, tmp_path / "shop")
    base = slim_base("ephemera", "flask", "gunicorn")
    (tmp_path / "buildah").mkdir()
    project.environment |= for_buildah(tmp_path / "buildah", registry, base)
    project("launch", "--yes")
    (project.folder / ".env").write_text("KEY=secret\n")
    project("deploy", "--builder", "buildah")

    endpoint = read_endpoint(ephemera.home)
    assert endpoint
    headers = {"Host": "shop.localhost"}
    with httpx2.Client(headers=headers, trust_env=False, timeout=60) as browser:
        page = browser.get(endpoint.proxy_url).raise_for_status().text
    assert "<h1>Welcome</h1>" in page
    with Client(endpoint.url, read_token(ephemera.home)) as client:
        (machine,) = client.machines.list("shop")
        said = client.machines.exec("shop", machine.id, ["sh", "-c", "id -un; ls -A /app"])
    user, *files = (said.stdout or "").split()
    assert user == "app"
    assert "app.py" in files
    assert not {".env", "Dockerfile", "fly.toml"} & {*files}
