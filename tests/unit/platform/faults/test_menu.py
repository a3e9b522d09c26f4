"""Which fault strikes when, and which orders are refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ephemera.platform.faults.menu import Asked, Menu
from ephemera.platform.faults.orders import Delay, Error, NoImage, Order
from ephemera.platform.faults.presets import PRESETS
from ephemera.platform.states import SETTLED, State
from ephemera.testing.faults import Faults

CREATE = Asked("POST", "/v1/apps/shop/machines")
START = Asked("POST", "/v1/apps/shop/machines/148e1d0c/start")


def _order(kind: str, *, match: dict[str, str] | None = None, **more: Any) -> Order:
    often = {name: more.pop(name) for name in ("times", "after") if name in more}
    return Order.model_validate({"effect": {"kind": kind, **more}, "match": match or {}, **often})


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({}, True),
        ({"method": "POST"}, True),
        ({"method": "GET"}, False),
        ({"app": "shop"}, True),
        ({"app": "sho"}, False),
        ({"app": "."}, False),
        ({"machine": "148e1d0c"}, True),
        ({"machine": "other"}, False),
        ({"path": "/v1/apps/{app_name}/machines/{machine_id}/start"}, True),
        ({"path": "/v1/apps/shop/machines/{machine_id}/start"}, True),
        ({"path": "/v1/apps/{app_name}/machines/{machine_id}"}, False),
        ({"path": "/v1/apps/{app_name}/machines/.*/start"}, False),
        ({"path": "/v1/apps/{app_name}"}, False),
    ],
)
def test_a_fault_strikes_what_it_matches(match: dict[str, str], hit: bool) -> None:
    menu = Menu()
    menu.add(_order("lost_answer", match=match))
    assert (menu.for_request(START) is not None) is hit


def test_it_lets_some_pass_strikes_the_next_and_is_spent() -> None:
    menu = Menu()
    fault = menu.add(_order("lost_answer", times=2, after=1))
    struck = [menu.for_request(START) is not None for _ in range(5)]
    assert struck == [False, True, True, False, False]
    assert fault.hits == 2


def test_the_oldest_fault_that_is_not_spent_strikes() -> None:
    menu = Menu()
    menu.add(_order("error", preset="server_error", times=1))
    menu.add(_order("delay", seconds=1))
    assert isinstance(menu.for_request(START), Error)
    assert isinstance(menu.for_request(START), Delay)


def test_a_preset_knows_which_requests_it_is_about() -> None:
    menu = Menu()
    menu.add(_order("error", preset="no_host"))
    assert menu.for_request(START) is None
    assert menu.for_request(CREATE)


def test_a_preset_is_about_other_requests_where_the_order_says_so() -> None:
    menu = Menu()
    menu.add(_order("error", preset="host_full", match={"path": START.path}))
    assert menu.for_request(START)
    assert menu.for_request(CREATE) is None


def test_faults_of_boots_do_not_strike_requests_and_know_the_image() -> None:
    menu = Menu()
    menu.add(_order("no_image", match={"image": "shop:1", "app": "shop"}))
    assert menu.for_request(CREATE) is None
    assert menu.for_boot("shop", "148e1d0c", "shop:2") is None
    assert menu.for_boot("other", "148e1d0c", "shop:1") is None
    assert isinstance(menu.for_boot("shop", "148e1d0c", "shop:1"), NoImage)


def test_a_removed_fault_strikes_no_more() -> None:
    menu = Menu()
    fault = menu.add(_order("dropped"))
    menu.remove(fault.id, "unknown")
    assert menu.for_request(START) is None
    assert menu.faults() == []


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"effect": {"kind": "error"}}, "preset"),
        ({"effect": {"kind": "error", "preset": "no_host", "status": 422}}, "preset"),
        ({"effect": {"kind": "error", "preset": "no_such"}}, "no_such"),
        ({"effect": {"kind": "error", "status": 200}}, "status"),
        ({"effect": {"kind": "delay", "seconds": -1}}, "seconds"),
        ({"effect": {"kind": "delay", "seconds": 1e9}}, "seconds"),
        ({"effect": {"kind": "fire"}}, "kind"),
        ({"effect": {"kind": "dropped"}, "match": {"apps": "shop"}}, "apps"),
        ({"effect": {"kind": "dropped"}, "match": {"image": "shop:1"}}, "image"),
        ({"effect": {"kind": "no_image"}, "match": {"method": "POST"}}, "method"),
        ({"effect": {"kind": "dropped"}, "times": 0}, "times"),
        ({"effect": {"kind": "stuck", "state": "starting"}, "times": 1}, "times"),
        ({"effect": {"kind": "stuck", "state": "started"}}, "started"),
    ],
)
def test_an_order_that_could_never_be_meant_is_refused(order: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Order.model_validate(order)
    assert named in str(raised.value)


@pytest.mark.parametrize("state", sorted(set(State) - SETTLED))
def test_a_machine_can_be_stuck_wherever_it_does_not_rest(state: State) -> None:
    assert _order("stuck", state=str(state))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_an_error_that_says_why(name: str) -> None:
    answer = PRESETS[name].answer
    assert 400 <= answer.status <= 599
    assert answer.body["error"]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_named_where_it_is_asked_for(name: str) -> None:
    assert f"`{name}`" in (Faults.error.__doc__ or "")
