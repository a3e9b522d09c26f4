"""The pytest plug-in: an embedded platform of its own for a test run.

```python
def test_a_thumbnail_is_made(ephemera_platform):
    job = thumbnail.enqueue("cat.png")
    assert job.result(timeout=30) == "cat-200.png"
```
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ephemera.home import Endpoint
from ephemera.testing.serving import serving

#: What would lead the tests' jobs and clients to another place than the fixture's.
LEADS_ELSEWHERE = (
    "EPHEMERA_APP",
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
