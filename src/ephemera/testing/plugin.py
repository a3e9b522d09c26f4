"""The pytest plug-in: an embedded platform of its own for a test run.

```python
def test_a_thumbnail_is_made(ephemera_platform):
    job = thumbnail.enqueue("cat.png")
    assert job.result(timeout=30) == "cat-200.png"
```
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera.home import Endpoint, read_endpoint

_STOP_WAIT_S = 15


@pytest.fixture(scope="session")
def ephemera_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Serve an embedded platform in a fresh folder, and make it the one that is found.

    `EPHEMERA_HOME` and `EPHEMERA_URL` name it while the fixture lives. Its machines are
    processes of this computer; those that still run at the end are killed.
    """
    home = tmp_path_factory.mktemp("ephemera")
    with _served(home) as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EPHEMERA_HOME", str(home))
        patch.setenv("EPHEMERA_URL", endpoint.url)
        patch.delenv("FLY_API_TOKEN", raising=False)
        patch.delenv("FLY_FLAPS_BASE_URL", raising=False)
        yield endpoint


class _served:  # noqa: N801 - used as `with _served(...)`
    def __init__(self, home: Path) -> None:
        self._home = home

    def __enter__(self) -> Endpoint:
        ready, told = os.pipe()
        self._server = subprocess.Popen(
            [
                *(sys.executable, "-m", "ephemera.platform", "--home", str(self._home)),
                *("--listen", "127.0.0.1:0", "--ready-fd", str(told)),
            ],
            pass_fds=(told,),
            stdin=subprocess.DEVNULL,
            stderr=(self._home / "platform.log").open("wb"),
        )
        os.close(told)
        with os.fdopen(ready) as answer:
            said = answer.readline()
        endpoint = read_endpoint(self._home)
        if not said.startswith("ready ") or endpoint is None:
            self._server.wait()
            pytest.fail(f"the embedded platform did not start: {said or 'no word'}")
        return endpoint

    def __exit__(self, *_: object) -> None:
        self._server.send_signal(signal.SIGTERM)
        self._server.wait(_STOP_WAIT_S)
