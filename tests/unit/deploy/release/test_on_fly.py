"""What is done on Fly.io only."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ephemera.deploy import flytoml
from ephemera.deploy.release.deploying import Order, _first_count
from ephemera.deploy.release.making import Manner
from ephemera.deploy.release.preparing import have_addresses
from ephemera.deploy.release.watching import Watch
from tests.unit.deploy.release.machines import config

WEB = "[http_service]\ninternal_port = 8080\n"


class FakeFly:
    """An API with addresses; `fly` says whether it is Fly.io's."""

    def __init__(self, *, fly: bool = True) -> None:
        self.assigned: list[str] = []
        self.link = SimpleNamespace(place=SimpleNamespace(fly=fly))
        self.ips = SimpleNamespace(list=lambda _: list(self.assigned), assign=self._assign)

    def _assign(self, _app: str, kind: str) -> SimpleNamespace:
        self.assigned.append(kind)
        return SimpleNamespace(ip=kind)


@pytest.fixture
def fly() -> Any:
    return FakeFly()


def toml(folder: Path, text: str) -> flytoml.FlyToml:
    file = folder / "fly.toml"
    file.write_text(f'app = "shop"\n{text}')
    return flytoml.load(file)


def test_a_web_app_gets_addresses_once(fly: Any, tmp_path: Path) -> None:
    for _ in range(2):
        have_addresses(fly, "shop", toml(tmp_path, WEB), print)
    assert fly.assigned == ["shared_v4", "v6"]


@pytest.mark.parametrize(("is_fly", "text"), [(True, ""), (False, WEB)])
def test_no_other_app_does(tmp_path: Path, is_fly: bool, text: str) -> None:
    api: Any = FakeFly(fly=is_fly)
    have_addresses(api, "shop", toml(tmp_path, text), print)
    assert api.assigned == []


def test_a_group_begins_with_two_machines_where_a_host_may_fail(fly: Any, tmp_path: Path) -> None:
    order = Order(app="shop", toml=toml(tmp_path, WEB), manner=Manner(print))
    assert _first_count(fly, order, config()) == 2
    assert _first_count(fly, order, config(offers=False)) == 1
    assert _first_count(fly, order, config(volume="vol_1")) == 1
    here: Any = FakeFly(fly=False)
    assert _first_count(here, order, config()) == 1


def test_a_machine_that_was_just_cordoned_is_given_a_while(
    fly: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("ephemera.deploy.release.watching.time.sleep", slept.append)
    Watch(fly, "shop", nullcontext, None).until_idle("id", 5)
    assert slept == [5]
