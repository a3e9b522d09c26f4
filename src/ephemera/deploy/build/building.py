"""The one way into building."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from ephemera.deploy.build import choosing, dockerfile, host, python
from ephemera.deploy.build.request import BuildRequest, Built, Tell
from ephemera.errors import BuildError, ConfigError

_BUILDERS: Mapping[str, Callable[[BuildRequest, Tell], Built]] = {
    choosing.PYTHON: python.build,
    choosing.BUILDAH: dockerfile.by_buildah,
    choosing.DOCKER: dockerfile.by_docker,
    choosing.HOST: host.build,
}


def build(request: BuildRequest, tell: Tell) -> Built:
    """Build what an app's machines run from, and put it where they find it.

    Repeating is safe: it makes the same under the same name. No machine is touched.

    Args:
        tell: Called with each line there is to say, also by other threads.

    Raises:
        ConfigError: something in the request or in the project is wrong.
        BuildError: it cannot be built or pushed.
    """
    begun = time.monotonic()
    name = choosing.choose(request)
    if name in (choosing.PYTHON, choosing.HOST) and not request.start:
        raise ConfigError(
            f"nothing says how app '{request.app}' is started",
            hint='give its command in fly.toml, below [processes]: app = "gunicorn main:app"',
        )
    try:
        built = _BUILDERS[name](request, tell)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise BuildError(
            f"app '{request.app}' cannot be built: {where}{error.strerror or error}",
            hint="look at the disk and at who owns the files",
        ) from error
    return replace(built, seconds=time.monotonic() - begun)
