"""Where Ephemera keeps its state on this computer, and how a running platform is found there."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from ephemera.errors import ConfigError

#: The port of Fly's own Machines API inside its network, so that clients which look for a local
#: API (the Ruby gem tries 127.0.0.1:4280) find ours.
DEFAULT_LISTEN = "127.0.0.1:4280"

#: As in Fly.io's guide to machines that scale to zero.
IDLE_TIMEOUT_S = 300.0

#: Where the proxy serves apps, without and with TLS; another free port where one is taken.
DEFAULT_PROXY, DEFAULT_PROXY_TLS = "127.0.0.1:4281", "127.0.0.1:4443"


def home() -> Path:
    """Return the state folder: `EPHEMERA_HOME`, else the place this system has for such things.

    The folder may not exist yet.
    """
    chosen = os.environ.get("EPHEMERA_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "ephemera"
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "ephemera"


def builds_folder(folder: Path, app: str) -> Path:
    """Return where the copies of an app's project are that its machines run from.

    Args:
        folder: The state folder.
    """
    return folder / "builds" / app


def default_driver() -> str:
    """Return how a platform runs machines that is not told: `EPHEMERA_DRIVER`, else `process`."""
    return os.environ.get("EPHEMERA_DRIVER") or "process"


def idle_timeout() -> float:
    """Return after how many seconds without a request machines are stopped that may be.

    `EPHEMERA_IDLE_TIMEOUT`, else five minutes.

    Raises:
        ConfigError: it is not a number.
    """
    given = os.environ.get("EPHEMERA_IDLE_TIMEOUT") or str(IDLE_TIMEOUT_S)
    try:
        return float(given)
    except ValueError:
        raise ConfigError(
            f"EPHEMERA_IDLE_TIMEOUT={given!r} is not a number", hint="give seconds, such as 300"
        ) from None


def make_home(folder: Path) -> None:
    """Create the state folder, readable by its owner alone. Repeating is safe.

    Raises:
        ConfigError: it cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"the state folder {folder} cannot be created: {error.strerror}",
            hint="set EPHEMERA_HOME to a folder you may write to",
        ) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(
            f"the state folder {folder} is not writable",
            hint="set EPHEMERA_HOME to a folder you may write to",
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A platform that serves, as it wrote itself down in its state folder."""

    url: str
    pid: int
    driver: str
    #: Seconds since 1970, UTC.
    started_at: float
    version: str
    #: The other arguments that it was started with, so that it can be started again as it was.
    options: tuple[str, ...] = ()
    #: Where its proxy serves apps, without and with TLS; empty where it does not.
    proxy_url: str = ""
    proxy_tls_url: str = ""


def write_endpoint(folder: Path, endpoint: Endpoint) -> None:
    """Write down where the platform of this folder answers, all at once."""
    fresh = folder / f"platform.json.{endpoint.pid}"
    fresh.write_text(json.dumps(asdict(endpoint)) + "\n")
    fresh.replace(folder / "platform.json")


def read_endpoint(folder: Path) -> Endpoint | None:
    """Return what the last platform of this folder wrote, or None.

    A killed platform leaves its file behind: only a connection tells whether it still serves.

    Raises:
        ConfigError: the folder may not be read.
    """
    try:
        return Endpoint(**json.loads((folder / "platform.json").read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
    except OSError as error:
        raise ConfigError(
            f"the state folder {folder} cannot be read: {error.strerror}",
            hint="run as the user who started the platform, or set EPHEMERA_HOME",
        ) from error


def remove_endpoint(folder: Path) -> None:
    """Take the note away again. Repeating is safe."""
    (folder / "platform.json").unlink(missing_ok=True)


def read_token(folder: Path) -> str | None:
    """Return the platform's bearer token, or None before the platform's first start."""
    try:
        return (folder / "token").read_text().strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"the token file {folder / 'token'} cannot be read: {error.strerror}",
            hint="run as the user who started the platform, or set FLY_API_TOKEN",
        ) from error
