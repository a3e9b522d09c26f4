"""Each framework takes reports as the supervisor's own listener does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ephemera.jobs.outcome import Report
from ephemera.jobs.records import AttemptRecord, JobRecord, Work
from ephemera.jobs.reports import REPORT_MAX_BYTES
from ephemera.jobs.runtime import configure, runtime
from ephemera.jobs.stores.memory import MemoryStore
from ephemera.jobs.tokens import attempt_token
from ephemera.wire.ids import new_ulid
from tests.unit.integrations.web_apps import MAKERS, Client

REPORT = json.dumps({"kind": "result", "value": 3}).encode()


class Scene:
    """An application whose job store has one attempt under way."""

    def __init__(self, client: Client, store: MemoryStore) -> None:
        self.client, self.store = client, store
        job = JobRecord(new_ulid(), Work("shop", "host", command=("true",)), 1.0)
        self.attempt = AttemptRecord(new_ulid(), job.id, 1, "shop", "m", "", 1.0)
        store.add_job(job)
        store.claim(job, self.attempt)
        identity = store.identity()
        self.path = f"/jobs/reports/{identity.id}/{self.attempt.id}"
        self.token = attempt_token(identity.secret, self.attempt.id)

    def post(self, body: bytes = REPORT, *, path: str = "", token: str | None = None) -> int:
        bearer = self.token if token is None else token
        return self.client.post(path or self.path, body, {"Authorization": f"Bearer {bearer}"})

    @property
    def report(self) -> Report | None:
        found = self.store.attempt(self.attempt.id)
        assert found is not None
        return found.report


@pytest.fixture(params=list(MAKERS))
def scene(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("EPHEMERA_APP_URL", "http://shop.flycast/")
    monkeypatch.setenv("EPHEMERA_SUPERVISE", "0")
    store = MemoryStore()
    configure(store=store)
    client = MAKERS[request.param]()
    yield Scene(client, store)
    runtime.reset()


def test_a_report_is_taken(scene: Scene) -> None:
    assert scene.post() == 204
    assert scene.report == Report("result", value=3)


def test_machines_are_told_to_report_to_the_application(scene: Scene) -> None:
    scene.post()  # Django looks at its first request
    assert runtime.settings().report_url == "http://shop.flycast/jobs/reports"


def test_a_wrong_token_is_refused_unread(scene: Scene) -> None:
    assert scene.post(b"not read", token="wrong") == 401
    assert scene.report is None


def test_the_report_of_another_store_is_refused(scene: Scene) -> None:
    assert scene.post(path=f"/jobs/reports/other/{scene.attempt.id}") == 404


def test_what_is_no_report_is_refused(scene: Scene) -> None:
    assert scene.post(b"{}") == 400


def test_what_is_too_large_is_refused(scene: Scene) -> None:
    assert scene.post(b" " * (REPORT_MAX_BYTES + 1)) == 413
