"""The releases that machines know of, and which of them one goes back to."""

from __future__ import annotations

import pytest

from ephemera.deploy.release import history, labels
from ephemera.deploy.release.history import RELEASES_MAX, Release, Status
from ephemera.deploy.release.image import Image, Place
from ephemera.deploy.release.rollback import chosen
from ephemera.errors import ConfigError
from tests.unit.deploy.release.machines import machine

HOST = Image("host", Place(("run",), ("cd", "/x"), {"A": "1"}))


def release(version: int, status: Status = "succeeded", image: str = "") -> Release:
    return Release(version, image or f"i{version}", status, "2026-01-01T00:00:00Z")


def test_what_is_written_is_read() -> None:
    made = history.begun([], [], HOST, "deploy")
    on = machine("app-1", said={labels.RELEASES: history.written([made])})
    assert history.read([on]) == [made]
    assert made.image_of() == HOST


def test_machines_that_know_less_do_not_hide_what_others_know() -> None:
    old = machine("app-1", said={labels.RELEASES: history.written([release(1, "running")])})
    new = machine("app-2", said={labels.RELEASES: history.written([release(2), release(1)])})
    for present in ([old, new], [new, old]):
        assert history.read(present) == [release(2), release(1)]


def test_what_is_gone_is_not_asked() -> None:
    written = history.written([release(3)])
    gone = machine("app-1", state="destroyed", said={labels.RELEASES: written})
    assert history.read([gone]) == []


@pytest.mark.parametrize("written", ["", "nonsense", "{}", '[{"version": "x"}]'])
def test_what_cannot_be_read_is_nothing(written: str) -> None:
    assert history.read([machine("app-1", said={labels.RELEASES: written})]) == []


def test_versions_go_on_from_what_machines_are_of() -> None:
    present = [machine("app-1", said={labels.RELEASE_VERSION: "7"})]
    assert history.begun([release(3)], present, HOST, "").version == 8
    assert history.begun([], [], HOST, "").version == 1


def test_the_last_ones_are_kept_and_one_that_never_ended_was_cut_short() -> None:
    before = [release(n) for n in range(20, 1, -1)] + [release(1, "running")]
    ended = history.ended(before, release(21), "failed")
    assert [one.version for one in ended] == list(range(21, 21 - RELEASES_MAX, -1))
    assert ended[0].status == "failed"
    (_, cut) = history.ended([release(1, "running")], release(2), "succeeded")
    assert cut.status == "interrupted"


def test_one_goes_back_to_the_last_that_succeeded_with_another_image() -> None:
    known = [
        release(5, image="b"),
        release(4, image="b"),
        release(3, "failed", image="c"),
        release(2, image="a"),
    ]
    assert chosen("shop", known, 5, None).version == 2
    assert chosen("shop", known, 5, 3).version == 3


@pytest.mark.parametrize("version", [None, 9])
def test_where_there_is_nothing_to_go_back_to_it_is_said(version: int | None) -> None:
    with pytest.raises(ConfigError, match="no release"):
        chosen("shop", [release(1)], 1, version)
