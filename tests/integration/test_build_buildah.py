"""Dockerfiles that are built and pushed by a real `buildah`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.deploy.build import BuildRequest, Built, Destination, Dockerfile, build
from ephemera.errors import BuildError
from ephemera.wire.ids import new_ulid
from tests import images, needs
from tests.pulling import Pulls
from tests.registry import PASSWORD, USER, Registry, running_registry

pytestmark = [pytest.mark.root, needs.root, needs.buildah, needs.registry, needs.busybox]

_DOCKERFILE = """\
FROM {base} AS first
ARG WORD=none
RUN echo $WORD >/word

FROM first
COPY . /app
CMD ["cat", "/word"]
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that lets nobody in without a login."""
    with running_registry(tmp_path_factory.mktemp("registry"), users=True) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, registry: Registry) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").touch()
    (folder / "notes").touch()
    base = registry.push("busybox", images.busybox())
    (folder / "Dockerfile").write_text(_DOCKERFILE.format(base=base))
    return folder


@pytest.fixture(autouse=True)
def _storage(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what `buildah` keeps in the test's own folder, and let it use our registry."""
    storage, registries = tmp_path / "storage.conf", tmp_path / "registries.conf"
    places = f'runroot="{tmp_path}/run"\ngraphroot="{tmp_path}/graph"'
    storage.write_text(f'[storage]\ndriver="vfs"\n{places}\n')
    registries.write_text(f'[[registry]]\nlocation="{registry.address}"\ninsecure=true\n')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(registries))


def built(
    project: Path, to: Registry, told: list[str], token: str = PASSWORD, **more: Any
) -> tuple[BuildRequest, Built]:
    request = BuildRequest(
        folder=project,
        app="shop",
        release_id=new_ulid(),
        start=(),
        home=project.parent / "home",
        destination=Destination("registry.localhost", to.address, token, USER),
        builder="buildah",
        architecture=images.HERE,
        dockerfile=Dockerfile(project / "Dockerfile", {"WORD": "hello"}),
        **more,
    )
    return request, build(request, told.append)


def test_an_image_is_built_and_pushed_with_a_login(
    project: Path, closed: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".ignored").write_text("notes\n")
    told: list[str] = []
    request, made = built(project, closed, told, ignorefile=project / ".ignored")
    assert any("STEP" in line for line in told)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(login_file(tmp_path, closed)))
    pulls = Pulls(tmp_path / "images")
    image, _ = pulls.prepare(request.pushed_as)
    assert image.digest == made.digest
    assert image.config.cmd == ("cat", "/word")
    *_, word, source = pulls.layers(image)
    assert (word / "word").read_text() == "hello\n"
    assert (source / "app/app.py").exists()
    assert not (source / "app/notes").exists()


def test_a_dockerfile_that_fails_is_told_with_its_line_and_what_it_said(
    project: Path, registry: Registry
) -> None:
    text = (project / "Dockerfile").read_text().replace("RUN echo", "RUN echo oh no; false")
    (project / "Dockerfile").write_text(text)
    told: list[str] = []
    with pytest.raises(BuildError, match=r"Dockerfile:3 \(RUN echo oh no; false .*\) failed"):
        built(project, registry, told)
    assert "oh no" in told


def test_a_token_that_is_not_taken_is_told_and_not_shown(project: Path, closed: Registry) -> None:
    (project / "Dockerfile").write_text("FROM scratch\nCOPY app.py /\n")
    told: list[str] = []
    with pytest.raises(BuildError, match=r"cannot be pushed: .*authentication") as refused:
        built(project, closed, told, token="a-secret-token")
    assert "a-secret-token" not in f"{refused.value}{told}"


def login_file(tmp_path: Path, registry: Registry) -> Path:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    path = tmp_path / "auth.json"
    path.write_text(json.dumps({"auths": {registry.address: {"auth": auth}}}))
    return path
