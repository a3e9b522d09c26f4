"""When the embedded platform is looked for, and when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.client import place as module
from ephemera.client.place import Place
from ephemera.errors import ConfigError
from ephemera.home import Endpoint

HERE = Endpoint("http://127.0.0.1:1", 1, "process", 0.0, "0")
THERE = Endpoint("http://127.0.0.1:2", 2, "process", 0.0, "0")


class Platform:
    """Plays `ensure_platform` and `recover_platform`."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.recovered: Endpoint | None = THERE

    def ensure(self, folder: Path) -> Endpoint:
        self.calls.append("ensure")
        return HERE

    def recover(self, folder: Path) -> Endpoint | None:
        self.calls.append("recover")
        return self.recovered


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """An embedded platform, and an environment in which nothing else is chosen."""
    names = (
        "FLY_FLAPS_BASE_URL EPHEMERA_URL FLY_MACHINE_ID FLY_API_TOKEN FLY_API_BASE_URL"
        " EPHEMERA_API_SOCKET"
    )
    for name in names.split():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EPHEMERA_HOME", str(tmp_path))
    (tmp_path / "token").write_text("kept\n")
    found = Platform()
    monkeypatch.setattr(module, "ensure_platform", found.ensure)
    monkeypatch.setattr(module, "recover_platform", found.recover)
    return found


def test_making_a_place_starts_nothing(platform: Platform) -> None:
    place = Place(None, None)
    assert platform.calls == []
    assert (place.embedded, place.local, place.plain, place.near) == (True, True, True, True)
    assert "embedded platform" in repr(place)


def test_the_embedded_platform_is_found_once(platform: Platform) -> None:
    place = Place(None, None)
    assert place.find() is place.find()
    assert place.find().url == HERE.url
    assert platform.calls == ["ensure"]
    assert repr(place) == HERE.url


def test_an_embedded_platform_that_moved_is_found_again(platform: Platform) -> None:
    place = Place(None, None)
    place.find_again(place.find())
    assert place.find().url == THERE.url


def test_it_is_found_again_by_the_first_who_misses_it_only(platform: Platform) -> None:
    place = Place(None, None)
    missed = place.find()
    place.find_again(missed)
    place.find_again(missed)
    assert platform.calls == ["ensure", "recover"]


def test_a_platform_that_was_taken_down_is_left_alone(platform: Platform) -> None:
    place = Place(None, None)
    platform.recovered = None
    place.find_again(place.find())
    assert place.find().url == HERE.url


def test_an_api_that_was_chosen_is_never_started(platform: Platform) -> None:
    place = Place("http://127.0.0.1:9", "t")
    place.find_again(place.find())
    assert platform.calls == []
    assert not place.embedded
    assert place.local


@pytest.mark.parametrize(
    ("url", "logs", "plain"),
    [
        ("http://x", "", True),
        ("https://x", "", False),
        ("http://x", "https://logs", False),
        ("http://_api.internal:4280", "", False),
    ],
)
def test_certificates_are_needed_where_anything_is_encrypted(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, url: str, logs: str, plain: bool
) -> None:
    monkeypatch.setenv("FLY_API_BASE_URL", logs)
    assert Place(url, "t").plain is plain


def test_a_machines_socket_is_on_this_computer_but_flys_is_not(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPHEMERA_API_SOCKET", "/run/m1")
    place = Place(None, None)
    assert (place.local, place.fly, place.plain, place.embedded) == (True, False, True, False)
    assert repr(place) == "unix:/run/m1"
    monkeypatch.setenv("EPHEMERA_API_SOCKET", "/.fly/api")  # as in a machine of ours
    assert (Place(None, None).local, Place(None, None).fly) == (True, False)
    monkeypatch.delenv("EPHEMERA_API_SOCKET")
    monkeypatch.setenv("FLY_MACHINE_ID", "m1")
    monkeypatch.setattr("os.access", lambda path, _: path == "/.fly/api")
    assert (Place(None, None).local, Place(None, None).fly) == (False, True)


def test_a_bad_setting_is_refused_when_the_client_is_made(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPHEMERA_URL", "nowhere")
    with pytest.raises(ConfigError, match="EPHEMERA_URL"):
        Place(None, "t")


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:4280", True),
        ("http://api.localhost", True),
        ("HTTPS://localhost:4280", False),
        ("http://10.0.0.1:4280", False),
        ("https://api.machines.dev", False),
    ],
)
def test_what_is_near_is_on_this_computer_and_not_encrypted(url: str, near: bool) -> None:
    assert Place(url, "token").near == near


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize("url", [None, "http://127.0.0.1:4280"])
def test_nothing_is_near_where_logs_come_encrypted(
    monkeypatch: pytest.MonkeyPatch, url: str | None
) -> None:
    monkeypatch.setenv("FLY_API_BASE_URL", "https://logs.example")
    assert not Place(url, "token" if url else None).near
