"""What `docker` is asked to do: by a program of its name that writes it down.

No daemon is needed, so what a real one makes of it is not tried here.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from ephemera.deploy.build import BuildRequest, Built, Destination, Dockerfile, build
from ephemera.errors import BuildError, ConfigError
from tests import images, needs
from tests.registry import Registry

pytestmark = needs.registry

#: Writes down its arguments, its variables, and the login that it finds.
_PROGRAM = """\
#!{python}
import json, os, pathlib, sys
config = pathlib.Path(os.environ.get("DOCKER_CONFIG", "/nowhere"), "config.json")
said = dict(
    arguments=sys.argv[1:],
    environ=dict(os.environ),
    login=config.read_text() if config.exists() else "",
    mode=config.stat().st_mode & 0o777 if config.exists() else 0,
)
with open({log!r}, "a") as log:
    log.write(json.dumps(said) + "\\n")
if sys.argv[1] == "context":
    print("unix:///run/other.sock")
if sys.argv[1] == {fails!r}:
    print("Step 1/1 : FROM scratch")
    print("denied: no")
    sys.exit(1)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return folder


def docker(project: Path, monkeypatch: pytest.MonkeyPatch, fails: str = "") -> Path:
    """Have a `docker` in the path; return what it writes."""
    folder, log = project.parent / "programs", project.parent / "log"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(_PROGRAM.format(python=sys.executable, log=str(log), fails=fails))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return log


def built(project: Path, to: str, **more: Any) -> tuple[Built, list[str]]:
    told: list[str] = []
    request = BuildRequest(
        folder=project,
        app="shop",
        release_id="01",
        start=(),
        home=project.parent / "home",
        destination=Destination.platform(to, "a-secret-token"),
        builder="docker",
        dockerfile=Dockerfile(project / "Dockerfile", {"WORD": "hello"}, "last"),
        architecture=images.HERE,
        **more,
    )
    return build(request, told.append), told


def test_an_image_is_built_pushed_and_asked_for(
    project: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = images.build(images.layer(images.file("a", b"a")))
    registry.push("shop", pushed, "deployment-01")
    log = docker(project, monkeypatch)
    made, _ = built(project, registry.address, fresh=True)
    assert made.digest == pushed.digest
    assert made.size_bytes == len(pushed.blobs[1].data)
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    build_, _, push, remove = asked
    name = f"{registry.address}/shop:deployment-01"
    assert build_["arguments"] == [
        *("build", "--platform", f"linux/{images.HERE}", "--no-cache", "--pull"),
        *("--file", str(project / "Dockerfile"), "--build-arg", "WORD=hello"),
        *("--target", "last", "--tag", name, "--tag", "localhost/shop:latest", "."),
    ]
    assert push["arguments"] == ["push", name]
    assert push["environ"]["DOCKER_HOST"] == "unix:///run/other.sock"
    assert remove["arguments"] == ["image", "rm", "--no-prune", name]


def test_the_login_is_in_a_file_for_the_time_of_the_push(
    project: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.push("shop", images.build(), "deployment-01")
    log = docker(project, monkeypatch)
    built(project, registry.address)
    asked = [json.loads(line) for line in log.read_text().splitlines()]
    push = next(one for one in asked if one["arguments"][0] == "push")
    assert list(json.loads(push["login"])["auths"]) == [registry.address]
    assert push["mode"] == 0o600
    assert not Path(push["environ"]["DOCKER_CONFIG"]).exists()
    assert not any("a-secret-token" in str(one["arguments"]) for one in asked)
    assert not any("a-secret-token" in str(one["environ"]) for one in asked)


@pytest.mark.parametrize(
    ("fails", "message"),
    [
        ("build", r"Dockerfile:1 \(FROM scratch\) failed: docker ended with exit code 1"),
        ("push", r"shop:deployment-01 cannot be pushed: denied: no"),
    ],
)
def test_what_fails_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, fails: str, message: str
) -> None:
    docker(project, monkeypatch, fails)
    with pytest.raises(BuildError, match=message):
        built(project, "127.0.0.1:1")


def test_ephemera_is_an_image_of_its_own_for_a_dockerfile_that_asks_for_it(
    project: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.push("shop", images.build(), "deployment-01")
    (project / "Dockerfile").write_text("FROM scratch\nCOPY --from=ephemera / /opt/ephemera/\n")
    log = docker(project, monkeypatch)
    built(project, registry.address, fresh=True)
    said = [json.loads(line)["arguments"] for line in log.read_text().splitlines()]
    made, build_, gone, *_ = said
    image = made[-2]
    assert image.startswith("localhost/ephemera-wheel:")  # nobody's but this build's
    assert made[:-2] == ["build", "--quiet", "--tag"]
    assert gone == ["image", "rm", image]
    assert "--no-cache" in build_
    assert "--pull" not in build_  # it is nowhere to be pulled from
    assert not Path(build_[build_.index("--file") + 1]).exists()


def test_an_ignore_file_of_another_name_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(project, monkeypatch)
    with pytest.raises(ConfigError, match=r"\.ignored .*name it Dockerfile\.dockerignore"):
        built(project, "127.0.0.1:1", ignorefile=project / ".ignored")
