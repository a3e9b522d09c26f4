"""Which app a command is about.

```
-a APP ─► -c FILE ─► FLY_APP_NAME ─► EPHEMERA_APP ─► the nearest fly.toml, from here upwards
                                                       └► that of the jobs, or an error
```
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ephemera.errors import ConfigError, NotFound
from ephemera.jobs.settings import DEFAULT_APP

_VARIABLES = ("FLY_APP_NAME", "EPHEMERA_APP")
_BOTH_WAYS = "name it with -a APP, or go to a folder with a fly.toml that does"


def needed_app(app: str | None, config: Path | None) -> str:
    """Return the app that a command is about.

    Args:
        app: What `-a` names.
        config: The `fly.toml` that `-c` names.

    Raises:
        ConfigError: none is named, or the `fly.toml` cannot be read.
    """
    found = found_app(app, config)
    if found is None:
        raise ConfigError("no app is named", hint=_BOTH_WAYS)
    return found


def usual_app(app: str | None, config: Path | None) -> str:
    """Return the app that a command is about; that of the jobs where none is named.

    Raises:
        ConfigError: the `fly.toml` cannot be read.
    """
    return found_app(app, config) or DEFAULT_APP


@contextmanager
def usual_app_there(app: str | None, config: Path | None) -> Iterator[str]:
    """Work with `usual_app`; where that is not there, say that nobody has named it.

    Raises:
        ConfigError: the `fly.toml` cannot be read.
        NotFound: out of the block, with a hint.
    """
    named = found_app(app, config)
    try:
        yield named or DEFAULT_APP
    except NotFound as error:
        if named is None:
            error.hint = f"no app is named, so it is that of the jobs; {_BOTH_WAYS}"
        raise


def found_app(app: str | None, config: Path | None) -> str | None:
    """Return the app that is named, or None.

    Raises:
        ConfigError: the `fly.toml` cannot be read.
    """
    return named_app(app, config) or app_of_folder()


def named_app(app: str | None, config: Path | None) -> str | None:
    """Return the app that the user has named, wherever the command is called; or None.

    Raises:
        ConfigError: the `fly.toml` cannot be read, or names no app.
    """
    if app:
        return app
    if config is not None:
        return _app_in(config)
    return next((os.environ[name] for name in _VARIABLES if os.environ.get(name)), None)


def app_of_folder() -> str | None:
    """Return the app of the nearest `fly.toml`, from the working folder upwards; or None.

    Raises:
        ConfigError: the `fly.toml` cannot be read.
    """
    from ephemera.deploy.finding import find

    file = find(Path.cwd())
    return _read(file) if file else None


def _read(file: Path) -> str | None:
    from ephemera.deploy import flytoml  # imported late: most commands are given no file

    return flytoml.load(file).app


def _app_in(config: Path) -> str:
    found = _read(config)
    if not found:
        raise ConfigError(f"{config} names no app", hint='it needs a line such as: app = "shop"')
    return found
