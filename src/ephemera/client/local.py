"""Finding the embedded platform of a state folder, and starting it where nobody serves.

```
 platform.json ──► answers? ──yes──► use it
                      │ no
                      ▼
        python -m ephemera.platform, detached
                      │ one line through a pipe
   ready <url> ───────┼─────── error running ...: somebody was first ──► wait for theirs
                      └─────── error ...: on another port once, then ConfigError
```

Any number of processes may do this at once. Each starts a server; the servers settle it among
themselves with the lock on `platform.lock`, and all but one of them say `running` and end. Who
holds the lock may as well be about to end, and serve nobody any more: where theirs does not answer
soon, another is started.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ephemera.errors import ConfigError
from ephemera.home import DEFAULT_LISTEN, Endpoint, make_home, read_endpoint

#: Where to listen when the usual port is somebody else's: any free port.
_ANY_PORT = "127.0.0.1:0"
#: A server on this computer that serves answers within milliseconds, also when it is busy.
_PROBE_TIMEOUT_S = 2.0
#: A start takes about a second; a first one on a cold disk was seen to take several, and one on an
#: emulated computer that was busy more than 30.
_START_TIMEOUT_S = 120.0
#: When it is first asked whether a platform that holds the folder, and does not answer, is gone;
#: each time after that twice as late. One that ends takes three seconds for open requests.
_ASK_AGAIN_S = 1.0
_POLL_S = 0.02


def ensure_platform(
    folder: Path,
    *,
    listen: str | None = None,
    driver: str | None = None,
    options: tuple[str, ...] | None = None,
) -> Endpoint:
    """Return the platform of `folder`, started in the background if it does not serve yet.

    Safe to repeat, and to do in many processes at once. A platform that serves already is used
    as it is, wherever it listens and whatever its driver.

    Args:
        folder: The state folder; created where it does not exist.
        listen: `host:port`. Else where it listened when it was killed, else the usual port; or
            any free one where that is taken.
        driver: How machines are run. Else as before it was killed, else the platform's default.
        options: Further arguments of the server. Else as before it was killed, else none.

    Raises:
        ConfigError: it could not be started. The message says why, the hint where its log is.
    """
    make_home(folder)
    found = find_platform(folder)
    if found:
        return found
    killed = read_endpoint(folder)
    driver = driver or (killed.driver if killed else None)
    if options is None:
        options = tuple(killed.options) if killed else ()
    usual = urlsplit(killed.url).netloc if killed else DEFAULT_LISTEN
    places = [listen] if listen else [usual, _ANY_PORT]
    deadline, patience_s = time.monotonic() + _START_TIMEOUT_S, _ASK_AGAIN_S
    while True:
        _start_somewhere(folder, places, driver, options)
        found = _found_within(folder, patience_s)
        if found:
            return found
        if time.monotonic() >= deadline:
            raise ConfigError(
                f"a platform runs in {folder}, but it does not answer",
                hint=f"its log is {_log(folder)}",
            )
        patience_s *= 2


def _start_somewhere(
    folder: Path, places: Sequence[str], driver: str | None, options: tuple[str, ...]
) -> None:
    """Have a platform serve this folder: one that is started now, or another.

    Args:
        places: Where it may listen, the best one first.

    Raises:
        ConfigError: it could not be started.
    """
    said = ""
    for listen in places:
        said = _start(folder, listen, driver, options)
        if _serves(said):
            return
    reason = said.removeprefix("error ") or "it ended without a word"
    raise ConfigError(
        f"the embedded platform cannot be started: {reason}", hint=f"its log is {_log(folder)}"
    )


def _serves(said: str) -> bool:
    """Return whether a platform serves this folder now: the one that said so, or another."""
    return said.startswith(("ready ", "error running "))


def recover_platform(folder: Path) -> Endpoint | None:
    """Return the platform of `folder` after it stopped answering; None if it was taken down.

    A platform that is taken down removes its `platform.json`, and must not come back by itself;
    one that was killed leaves it behind, and is started again.

    Raises:
        ConfigError: it could not be started again.
    """
    return ensure_platform(folder) if read_endpoint(folder) else None


def find_platform(folder: Path) -> Endpoint | None:
    """Return the platform of `folder` if it serves now."""
    endpoint = read_endpoint(folder)
    return endpoint if endpoint and _answers(endpoint) else None


def _answers(endpoint: Endpoint) -> bool:
    """Return whether a platform of ours answers there, not some other program."""
    place = urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(
        place.hostname or "", place.port, timeout=_PROBE_TIMEOUT_S
    )
    try:
        connection.request("GET", "/")
        said = json.loads(connection.getresponse().read())
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return isinstance(said, dict) and said.get("service") == "ephemera"


def _start(folder: Path, listen: str, driver: str | None, options: tuple[str, ...]) -> str:
    """Start a platform and return the line it says: `ready <url>`, `error <message>`, or none."""
    ready, said = os.pipe()
    # -P: no module of the folder that we happen to be in is one of the platform's
    command = [sys.executable, "-P", "-m", "ephemera.platform", "--home", str(folder)]
    command += ["--listen", listen, "--ready-fd", str(said)]
    command += ["--driver", driver] if driver else []
    command += options
    try:
        _log(folder).touch(mode=0o600)
        with _log(folder).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(said,),
                start_new_session=True,
            )
    except OSError as error:
        os.close(ready)
        raise ConfigError(f"the embedded platform cannot be started: {error}") from error
    finally:
        os.close(said)
    _reap_when_it_ends(process)
    line = _read_line(ready, _START_TIMEOUT_S)
    if line is None:
        process.terminate()
        return f"error it was not ready after {_START_TIMEOUT_S:g} seconds"
    return line


def _reap_when_it_ends(process: subprocess.Popen[bytes]) -> None:
    """Leave no zombie behind if the platform ends before this process does."""
    threading.Thread(target=process.wait, name="ephemera-platform-reaper", daemon=True).start()


def _read_line(descriptor: int, timeout_s: float) -> str | None:
    """Read one line and close; an empty one at the end of file, None when the time is up."""
    deadline = time.monotonic() + timeout_s
    line = b""
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while not line.endswith(b"\n"):
            left = max(0.0, deadline - time.monotonic())
            if not select.select([pipe], [], [], left)[0]:
                return None
            more = pipe.read(4096)
            if not more:
                break
            line += more
    return line.decode(errors="replace").strip()


def _found_within(folder: Path, seconds: float) -> Endpoint | None:
    """Return the platform that holds the lock, once it serves; None where it does not in time."""
    deadline = time.monotonic() + seconds
    while not (found := find_platform(folder)):
        if time.monotonic() >= deadline:
            return None
        time.sleep(_POLL_S)
    return found


def _log(folder: Path) -> Path:
    return folder / "platform.log"
