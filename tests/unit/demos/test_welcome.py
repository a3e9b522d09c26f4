"""The demo application by itself: what its pages answer, and the job it enqueues."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ephemera.cli.demonstration import elapsed_ns
from ephemera.demos.welcome import app as welcome


class EnqueuedCommand:
    """Stands for `ephemera.command`: remembers what would be run."""

    id = "the-job"

    def __init__(self) -> None:
        self.commands: list[Sequence[str]] = []

    def __call__(self, argv: Sequence[str], **_: object) -> EnqueuedCommand:
        self.commands.append(argv)
        return self

    def enqueue(self) -> EnqueuedCommand:
        return self


@pytest.fixture
def enqueued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EnqueuedCommand:
    enqueued = EnqueuedCommand()
    monkeypatch.setattr(welcome, "command", enqueued)
    monkeypatch.setattr(welcome, "STATUS", tmp_path / "status")
    return enqueued


@pytest.fixture
def site(enqueued: EnqueuedCommand) -> TestClient:
    return TestClient(welcome.app, base_url="http://welcome.example:8080")


def test_the_welcome_page_leads_to_the_job(site: TestClient) -> None:
    assert "/job/start" in site.get("/").text


def test_a_job_brings_the_second_timestamp(site: TestClient, enqueued: EnqueuedCommand) -> None:
    assert site.get("/job/start").text == "the-job\n"
    assert len(site.get("/job/status").text.splitlines()) == 1
    assert enqueued.commands[0][-1] == "http://welcome.example:8080/job/complete"
    assert site.get("/job/complete").text == "OK"
    assert elapsed_ns(site.get("/job/status").text) > 0


def test_another_start_begins_anew(site: TestClient) -> None:
    for path in ("/job/start", "/job/complete", "/job/start"):
        site.get(path)
    assert len(site.get("/job/status").text.splitlines()) == 1


def test_there_is_a_status_before_the_first_job(site: TestClient) -> None:
    assert site.get("/job/status").text == "no job yet\n"


def test_the_url_is_fetched_with_curl_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/curl")
    assert welcome.fetch("http://x/")[0] == "curl"
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert welcome.fetch("http://x/")[0] == sys.executable
