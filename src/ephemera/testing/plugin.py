"""The pytest plug-in: an embedded platform of its own for a test run.

```python
def test_a_thumbnail_is_made(ephemera_platform):
    job = thumbnail.enqueue("cat.png")
    assert job.result(timeout=30) == "cat-200.png"
```
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ephemera.home import Endpoint, read_token
from ephemera.testing.serving import serving

if TYPE_CHECKING:
    from ephemera.testing.clock import PlatformClock
    from ephemera.testing.faults import Faults

#: What would lead the tests' jobs and clients to another place than the fixture's.
LEADS_ELSEWHERE = (
    "EPHEMERA_API_SOCKET",
    "EPHEMERA_APP",
    "EPHEMERA_CONCURRENCY",
    "EPHEMERA_STORE",
    "EPHEMERA_SUPERVISE",
    "FLY_API_BASE_URL",
    "FLY_API_TOKEN",
    "FLY_APP_NAME",
    "FLY_FLAPS_BASE_URL",
    "FLY_IMAGE_REF",
    "FLY_MACHINE_ID",
)

# The suites' asserts show their values on failure, as those of a test file do.
pytest.register_assert_rewrite("ephemera.testing.machines_api")


@pytest.fixture(scope="session")
def ephemera_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Serve an embedded platform in a fresh folder, and make it the one that is found.

    `EPHEMERA_HOME` and `EPHEMERA_URL` name it while the fixture lives, and the environment has
    nothing else that Ephemera reads. What the application sets with `configure` stays. Its
    machines are processes of this computer; those that still run at the end are killed.
    """
    from ephemera.jobs.runtime import runtime

    home = tmp_path_factory.mktemp("ephemera")
    with serving(home) as server, pytest.MonkeyPatch.context() as patch:
        for name in LEADS_ELSEWHERE:
            patch.delenv(name, raising=False)
        patch.setenv("EPHEMERA_HOME", str(home))
        patch.setenv("EPHEMERA_URL", server.endpoint.url)
        runtime.close()  # a store that was opened before is another's
        try:
            yield server.endpoint
        finally:
            runtime.close()  # the supervisor must not outlive the platform


@pytest.fixture
def ephemera_faults(ephemera_platform: Endpoint) -> Iterator[Faults]:
    """Make the platform of `ephemera_platform` misbehave; after the test it behaves again."""
    from ephemera.testing.faults import Faults

    faults = Faults(ephemera_platform.url, _token())
    try:
        yield faults
    finally:
        faults.clear()
        faults.close()


@pytest.fixture
def ephemera_clock(ephemera_platform: Endpoint) -> Iterator[PlatformClock]:
    """Move the clock of the platform of `ephemera_platform`, which stays ahead."""
    from ephemera.testing.clock import PlatformClock

    clock = PlatformClock(ephemera_platform.url, _token())
    try:
        yield clock
    finally:
        clock.close()


def _token() -> str:
    return read_token(Path(os.environ["EPHEMERA_HOME"])) or ""
