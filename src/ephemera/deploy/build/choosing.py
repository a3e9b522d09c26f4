"""Which builder builds an image. What is there is asked, nothing is begun."""

from __future__ import annotations

import shutil

from ephemera.deploy.build.request import BuildRequest
from ephemera.errors import ConfigError

PYTHON, BUILDAH, DOCKER, HOST = "python", "buildah", "docker", "host"
BUILDERS = (PYTHON, BUILDAH, DOCKER, HOST)
#: The platform's driver whose machines are processes of this computer.
_PROCESS = "process"


def choose(request: BuildRequest) -> str:
    """Return the builder that was asked for, else the one that fits.

    | the platform, the project | builder |
    |---|---|
    | machines are processes of this computer | `host` |
    | there is a `Dockerfile` that somebody has written | `buildah` or `docker`, what is there |
    | else | `python` |

    Raises:
        ConfigError: there is no such builder, or it cannot do it here.
    """
    if request.builder:
        return _asked(request)
    if request.driver == _PROCESS:
        return HOST
    if request.dockerfile is None:
        return PYTHON
    found = next((name for name in (BUILDAH, DOCKER) if shutil.which(name)), None)
    if found is None:
        raise ConfigError(
            f"{request.dockerfile.path} needs buildah or docker, and neither is there",
            hint="install one (`apt-get install buildah`), or let it be: `--builder python`",
        )
    return found


def _asked(request: BuildRequest) -> str:
    name = request.builder
    if name not in BUILDERS:
        raise ConfigError(
            f"there is no builder '{name}'", hint=f"the builders are {', '.join(BUILDERS)}"
        )
    if (name == HOST) != (request.driver == _PROCESS):
        raise _does_not_fit(name)
    if name in (BUILDAH, DOCKER):
        _check_dockerfile(request, name)
    return name


def _does_not_fit(name: str) -> ConfigError:
    if name == HOST:
        return ConfigError(
            "builder 'host' makes no image, and these machines need one",
            hint="leave --builder away, or use `--builder python`",
        )
    return ConfigError(
        f"builder '{name}' makes an image, and the machines of this platform are processes",
        hint="leave --builder away, or start the platform with `ephemera up --driver container`",
    )


def _check_dockerfile(request: BuildRequest, name: str) -> None:
    path = request.dockerfile_asked.path
    if not path.exists():
        raise ConfigError(
            f"builder '{name}' builds a Dockerfile, and there is no {path}",
            hint="`ephemera launch` writes one, or use `--builder python`",
        )
    if shutil.which(name) is None:
        raise ConfigError(
            f"builder '{name}' needs the program {name}, which is not there",
            hint=f"install {name}, or use `--builder python`",
        )
