"""The builders `buildah` and `docker`: a project's own `Dockerfile`, by a program that is there.

The login at the registry is in a file that is there for the time of the push: arguments can be
seen by everybody on this computer.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from ephemera.deploy.build import alongside
from ephemera.deploy.build.dockersteps import where_it_failed
from ephemera.deploy.build.programs import run
from ephemera.deploy.build.request import BuildRequest, Built, Dockerfile, Tell
from ephemera.deploy.build.sending import pushed
from ephemera.errors import BuildError, ConfigError
from ephemera.oci.reference import parse
from ephemera.oci.trust import is_loopback

#: Of a program that is only asked something.
_ANSWER_TIMEOUT_S = 30
_LOGIN_FILE = "config.json"
#: Where version 2 is, on a computer whose first is version 1.
_CGROUPS_OF_BOTH = Path("/sys/fs/cgroup/unified")


def by_buildah(request: BuildRequest, tell: Tell) -> Built:
    """Build and push with `buildah`.

    Raises:
        BuildError: it fails; what it said was told, and the error has the line of the `Dockerfile`.
    """
    file = request.dockerfile_asked
    options = ["--layers", "--force-rm", "--format", "oci", "--arch", request.architecture]
    if request.fresh:
        options += ["--no-cache", "--pull-always"]
    if request.ignorefile:
        options += ["--ignorefile", str(request.ignorefile)]
    plain = ["--tls-verify=false"] if is_loopback(parse(request.pushed_as).host) else []
    # Tagged, so that it is not taken for what a failed build has left; pushed by its id, so that
    # another build of the app may have the tag by then.
    tag = ["--tag", f"localhost/{request.app}:latest"]
    with _login(request) as folder, alongside.given(file.path, tell) as ours:
        made, login = folder / "id", ["--authfile", str(folder / _LOGIN_FILE)]
        if ours:
            options += ["--build-context", f"{alongside.NAME}={ours}"]
        command = ["buildah", "build", *options, *_options(file), *tag, "--iidfile", str(made)]
        _build(command, request, file, tell, _isolation())
        place = f"docker://{request.pushed_as}"
        push = ["buildah", "push", *plain, *login, made.read_text().strip(), place]
        _push(push, request, tell, {})
    return _built("buildah", request)


def by_docker(request: BuildRequest, tell: Tell) -> Built:
    """Build and push with `docker`, whose daemon must be there.

    Raises:
        BuildError: as `by_buildah`.
    """
    file = request.dockerfile_asked
    if request.ignorefile:
        raise ConfigError(
            f"builder 'docker' takes no other ignore file than its own, and [build] ignorefile"
            f" is {request.ignorefile}",
            hint=f"name it {file.path.name}.dockerignore, beside {file.path.name}",
        )
    options = ["--platform", f"linux/{request.architecture}"]
    name, plain = request.pushed_as, {"BUILDKIT_PROGRESS": "plain"}
    # Without a name of its own the image would go with the one that it is pushed by, and what the
    # next build could use of it too.
    tags = ["--tag", name, "--tag", f"localhost/{request.app}:latest"]
    with _asking_for_ours(file, request, tell) as asking:
        if request.fresh:
            # All would be pulled, and ours is nowhere to be pulled from.
            options += ["--no-cache", "--pull"] if asking is file else ["--no-cache"]
        command = ["docker", "build", *options, *_options(asking), *tags]
        _build(command, request, file, tell, plain)
    # The folder of the login takes the place of the one that says which daemon is meant.
    daemon = os.environ.get("DOCKER_HOST") or _answer(
        ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    )
    try:
        with _login(request) as folder:
            environ = {"DOCKER_CONFIG": str(folder), **({"DOCKER_HOST": daemon} if daemon else {})}
            _push(["docker", "push", name], request, tell, environ)
    finally:
        _answer(["docker", "image", "rm", "--no-prune", name])
    return _built("docker", request)


@contextmanager
def _asking_for_ours(file: Dockerfile, request: BuildRequest, tell: Tell) -> Iterator[Dockerfile]:
    """Have the `Dockerfile` that copies Ephemera from an image, which is there meanwhile.

    It is the same one where it does not ask for Ephemera. The image has a name that no other build
    and no user has: docker has all images of this computer in one place.
    """
    with alongside.given(file.path, tell) as ours:
        if ours is None:
            yield file
            return
        image = f"localhost/ephemera-wheel:{uuid4().hex}"
        _as_image(ours, image, request, tell)
        try:
            yield replace(file, path=alongside.renamed(file.path, image, ours / "asking"))
        finally:
            _answer(["docker", "image", "rm", image])


def _as_image(folder: Path, image: str, request: BuildRequest, tell: Tell) -> None:
    """Make an image of a folder, which a `Dockerfile` may copy from under its name.

    Each `docker` can do that; only some take a second folder for a build.
    """
    file = folder / "Dockerfile"
    file.write_text("FROM scratch\nCOPY *.whl constraints.txt /\n")
    command = ["docker", "build", "--quiet", "--tag", image, str(folder)]
    code, _ = run(command, tell, cwd=request.folder)
    if code != 0:
        raise BuildError(
            f"docker cannot make an image of the wheel of ephemera: it ended with exit code {code}",
            hint="what it said is above; look at whether its daemon runs: `docker info`",
        )


def _isolation() -> Mapping[str, str]:
    """Return how `buildah` runs commands, where its usual way cannot work.

    crun refuses computers that have control groups of both versions.
    """
    is_hybrid = _CGROUPS_OF_BOTH.is_dir() and "BUILDAH_ISOLATION" not in os.environ
    return {"BUILDAH_ISOLATION": "chroot"} if is_hybrid else {}


def _options(file: Dockerfile) -> list[str]:
    """Return what both programs call the same."""
    options = ["--file", str(file.path)]
    for name, value in file.args.items():
        options += ["--build-arg", f"{name}={value}"]
    if file.target:
        options += ["--target", file.target]
    return options


def _build(
    command: Sequence[str],
    request: BuildRequest,
    file: Dockerfile,
    tell: Tell,
    environ: Mapping[str, str],
) -> None:
    tell(f"{command[0]}: building {file.path}")
    code, lines = run([*command, "."], tell, cwd=request.folder, environ=environ)
    if code != 0:
        where = where_it_failed(lines, file.path)
        raise BuildError(
            f"{where or file.path} failed: {command[0]} ended with exit code {code}",
            hint="what it said is above; correct the Dockerfile, or use `--builder python`",
        )


def _push(
    command: Sequence[str], request: BuildRequest, tell: Tell, environ: Mapping[str, str]
) -> None:
    tell(f"{command[0]}: pushing {request.pushed_as}")
    code, lines = run(command, tell, cwd=request.folder, environ=environ)
    if code != 0:
        said = lines[-1] if lines else f"{command[0]} ended with exit code {code}"
        reason = said.rpartition('": ')[2]  # before it buildah says again what it was to do
        raise BuildError(
            f"image {request.pushed_as} cannot be pushed: {reason}",
            hint="look at the registry, and at whether the token may deploy this app",
        )


@contextmanager
def _login(request: BuildRequest) -> Iterator[Path]:
    """Have a folder with a file in Docker's form, readable by its owner alone."""
    user, password = request.login
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    host = request.repository.partition("/")[0]
    with tempfile.TemporaryDirectory(prefix="ephemera-login-") as made:
        file = Path(made, _LOGIN_FILE)
        file.touch(mode=0o600)
        file.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
        yield Path(made)


def _answer(command: Sequence[str]) -> str:
    """Return what a program says; nothing where it fails, which does not matter to the build."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_ANSWER_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _built(builder: str, request: BuildRequest) -> Built:
    digest, size = asyncio.run(pushed(request))
    return Built(builder, request.image, digest, size)
