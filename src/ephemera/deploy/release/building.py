"""What is to be built for a deploy: the project, the `fly.toml` and where it goes, as a request."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ephemera.client import Client
from ephemera.deploy import launch
from ephemera.deploy.build import BuildRequest, Destination, Dockerfile, build
from ephemera.deploy.flytoml import FlyToml
from ephemera.deploy.release import image
from ephemera.deploy.release.image import Image
from ephemera.deploy.release.telling import Tell
from ephemera.deploy.scan import Project, python, scan
from ephemera.errors import ConfigError
from ephemera.home import home, read_endpoint
from ephemera.wire.ids import new_ulid

#: The names that images have for this computer's kinds of processors.
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
#: The driver whose machines are processes of this computer, and have no images.
_PROCESS = "process"
#: What a `fly.toml` says where each deploy is to choose.
_ANY_BUILDER = "auto"
#: Builders that build a Dockerfile, also one as it was generated.
_OF_DOCKERFILES = ("buildah", "docker")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user says about the image."""

    #: One that is there: nothing is built.
    image: str | None = None
    builder: str | None = None
    #: Use nothing that was kept of earlier builds.
    fresh: bool = False


def builder_of(
    client: Client, app: str, toml: FlyToml, wish: Wish, tell: Tell
) -> Callable[[], Image]:
    """Return what makes the image of a deploy. Nothing is built before it is called.

    Raises:
        ConfigError: when called: it cannot be found out how the app is started.
        BuildError: when called: it cannot be built.
    """
    named = wish.image or (toml.build.image if wish.builder is None else None)
    if named is not None:
        return lambda: Image(named)

    def make() -> Image:
        return image.of(build(_request(client, app, toml, wish), tell))

    return make


def _request(client: Client, app: str, toml: FlyToml, wish: Wish) -> BuildRequest:
    folder = toml.path.absolute().parent
    said = wish.builder or toml.build.builder or ""
    dockerfile = _dockerfile(folder, toml, is_asked=said in _OF_DOCKERFILES)
    driver = _driver(client)
    start = toml.processes.get(toml.default_group(), "")
    project = _project(folder, needed=not (dockerfile or start))
    start = start or (project.command if project else "")
    return BuildRequest(
        folder=folder,
        app=app,
        release_id=new_ulid(),
        start=shlex.split(start),
        home=home(),
        destination=None if driver == _PROCESS else _destination(client),
        driver=driver,
        builder="" if said == _ANY_BUILDER else said,
        dockerfile=dockerfile,
        python=project.python if project else python.find(folder)[0],
        base=toml.build.base or "",
        architecture=_architecture(client),
        ignorefile=folder / toml.build.ignorefile if toml.build.ignorefile else None,
        collect=shlex.split(project.collect_command) if project else (),
        in_use=_in_use(client, app) if driver == _PROCESS else (),
        fresh=wish.fresh,
    )


def _in_use(client: Client, app: str) -> set[str]:
    """Return the ids of the builds that machines run from, of which there may be newer ones."""
    configs = [one.config for one in client.machines.list(app) if one.config]
    words = [word for one in configs for word in (one.init and one.init.exec) or ()]
    return {Path(word).name for word in words if Path(word).parent.name == app}


def _dockerfile(folder: Path, toml: FlyToml, *, is_asked: bool) -> Dockerfile | None:
    """Return the Dockerfile that somebody wrote; one as it was generated says nothing new.

    Args:
        is_asked: Whether it is to be built whoever wrote it.

    Raises:
        ConfigError: the `fly.toml` names one that is not there.
    """
    path = folder / (toml.build.dockerfile or "Dockerfile")
    if toml.build.dockerfile and not path.exists():
        raise ConfigError(
            f"{toml.path} names the Dockerfile {path}, which is not there",
            hint="`ephemera launch` writes one; or take the line out",
        )
    if not is_asked and not launch.is_own(path):
        return None
    return Dockerfile(path, args=toml.build.args, target=toml.build.build_target or "")


def _project(folder: Path, *, needed: bool) -> Project | None:
    """Return what the project is; None where it cannot be told and somebody else says it."""
    try:
        return scan(folder)
    except ConfigError:
        if needed:
            raise
        return None


def _driver(client: Client) -> str:
    """Return how the platform of this computer runs machines; empty for any other API."""
    if not client.local:
        return ""
    url = client.locate()  # first: it may start the platform
    endpoint = read_endpoint(home())
    return endpoint.driver if endpoint and endpoint.url == url else ""


def _destination(client: Client) -> Destination:
    address = client.link.place.find()
    token = address.authorization.removeprefix("Bearer ").removeprefix("FlyV1 ")
    if client.link.place.fly:
        return Destination.fly(token)
    return Destination.platform(urlsplit(address.url).netloc, token)


def _architecture(client: Client) -> str:
    """Return what the image is for: Fly.io's computers, or this one."""
    if not client.local:
        return "amd64"
    return _ARCHITECTURES.get(platform.machine().lower(), "amd64")
