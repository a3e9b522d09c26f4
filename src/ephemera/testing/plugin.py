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

# The suites' asserts show their values on failure, as those of a test file do.
pytest.register_assert_rewrite("ephemera.testing.machines_api")


@pytest.fixture(scope="session")
def ephemera_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Serve an embedded platform in a fresh folder, and make it the one that is found.

    `EPHEMERA_HOME` and `EPHEMERA_URL` name it while the fixture lives. Its machines are
    processes of this computer; those that still run at the end are killed.
    """
    home = tmp_path_factory.mktemp("ephemera")
    with serving(home) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("EPHEMERA_HOME", str(home))
        patch.setenv("EPHEMERA_URL", server.endpoint.url)
        patch.delenv("FLY_API_TOKEN", raising=False)
        patch.delenv("FLY_FLAPS_BASE_URL", raising=False)
        yield server.endpoint
