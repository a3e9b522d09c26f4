"""What can be had of a machine, and its files as a tar archive, as they travel."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import httpx2

from ephemera.testing.machines_api import AppUnderTest, Subject, answered, refused

DRIVER = "mock"


def asked(app: AppUnderTest, machine: str, tail: str = "", **more: Any) -> httpx2.Response:
    return app.http.get(f"/ephemera/apps/{app.name}/machines/{machine}{tail}", **more)


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        found = {one.name: members.extractfile(one) for one in members}
        return {name: content.read() for name, content in found.items() if content}


def test_the_files_of_a_machine_are_exported_also_while_it_runs(app: AppUnderTest) -> None:
    ended = app.created_and("stopped", ["write", "/report", "half"])
    exported = answered(asked(app, ended, "/export"))
    assert exported.headers["content-type"] == "application/x-tar"
    assert "content-length" not in exported.headers
    assert unpacked(exported.content) == {"report": b"half"}
    assert unpacked(answered(asked(app, app.running(), "/export")).content) == {}


def test_what_is_not_there_is_not_exported(app: AppUnderTest) -> None:
    failed = app.created_and("failed", ["no-such-word"])
    assert "nothing is left" in refused(asked(app, failed, "/export"), 412)
    destroyed = app.ended()
    app.ask("DELETE", f"/machines/{destroyed}")
    app.reaches(destroyed, "destroyed")
    assert "'destroyed'" in refused(asked(app, destroyed, "/export"), 412)
    refused(asked(app, "00000000000000", "/export"), 404)


def test_only_those_who_may_touch_the_app_see_its_files(
    app: AppUnderTest, subject: Subject, http: httpx2.Client
) -> None:
    machine = app.ended()
    with AppUnderTest.made(subject, http) as theirs:
        token = theirs.post("/deploy_token", json={})["token"]
        for tail in ("", "/export"):
            refused(asked(app, machine, tail, headers={"authorization": token}), 403)
            refused(asked(app, machine, tail, headers={"authorization": "Bearer no"}), 401)


def test_a_machine_says_what_can_be_had_of_it(app: AppUnderTest) -> None:
    def had(machine: str) -> tuple[str, bool, bool, bool]:
        found = answered(asked(app, machine)).json()
        assert found["driver"] == "mock"
        return found["state"], found["terminal"], found["look"], found["export"]

    machine = app.running()
    assert had(machine) == ("started", True, False, True)
    app.ask("POST", f"/machines/{machine}/stop")
    app.reaches(machine, "stopped")
    assert had(machine) == ("stopped", False, True, True)
    assert had(app.created_and("failed", ["no-such-word"])) == ("failed", False, False, False)
    app.ask("DELETE", f"/machines/{machine}")
    app.reaches(machine, "destroyed")
    assert had(machine) == ("destroyed", False, False, False)


def test_a_machine_is_found_by_its_id_by_those_who_may_touch_it(
    app: AppUnderTest, subject: Subject, http: httpx2.Client
) -> None:
    machine = app.ended()
    path = f"/ephemera/machines/{machine}"
    assert answered(http.get(path)).json() == {"app": app.name}
    refused(http.get("/ephemera/machines/00000000000000"), 404)
    with AppUnderTest.made(subject, http) as theirs:
        token = theirs.post("/deploy_token", json={})["token"]
        refused(http.get(path, headers={"authorization": token}), 404)
    app.ask("DELETE", f"/machines/{machine}")
    app.reaches(machine, "destroyed")
    refused(http.get(path), 404)
