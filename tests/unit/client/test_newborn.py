"""What was just made may be unknown to some server for a while: then one asks again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ephemera.client.attempt import Pace
from ephemera.client.call import Call
from ephemera.client.calls import apps, creation, lifecycle, machines
from ephemera.client.exchange import exchange
from ephemera.client.messages import Answer
from ephemera.client.newborn import Newborns, patient
from ephemera.errors import ApiError, NotFound, Unauthorized
from tests.unit.client.scripted_api import Script, answer

MADE = answer(200, {"id": "m1", "name": "one", "state": "created"})
NO_MACHINE = answer(404, {"error": "machine not found"})
NO_APP = answer(404, {"error": "app not found"})


class Fly:
    """A client's memory of what it has made, and a server that forgets."""

    def __init__(self) -> None:
        self.script = Script()
        self.newborns = Newborns()

    def run(self, call: Call[Any], *replies: Answer) -> Any:
        pace: Pace = self.script.pace
        return self.script.run(patient(exchange(call, pace), self.newborns, pace), *replies)


@pytest.fixture
def fly() -> Fly:
    return Fly()


def create() -> Call[Any]:
    return creation.create("shop", config={"image": "x"}, name="one")


def test_a_new_machine_is_asked_for_until_it_is_known(fly: Fly) -> None:
    fly.run(create(), MADE)
    assert fly.run(machines.get("shop", "m1"), NO_MACHINE, NO_MACHINE, MADE).id == "m1"
    assert fly.script.pauses == [0.5, 0.5]


def test_what_changes_it_was_not_applied_either(fly: Fly) -> None:
    fly.run(create(), MADE)
    fly.run(lifecycle.cordon("shop", "m1"), NO_MACHINE, answer(200, {"ok": True}))


@pytest.mark.parametrize("unknown", [NO_APP, answer(401, {"error": "unauthorized"})])
def test_a_new_app_is_asked_for_until_it_is_known(fly: Fly, unknown: Answer) -> None:
    fly.run(apps.create("shop"), answer(201, {"id": "a1"}))
    assert fly.run(machines.list_("shop"), unknown, answer(200, [])) == []


@pytest.mark.parametrize(
    ("call", "said", "error"),
    [
        (lambda: machines.get("shop", "m2"), NO_MACHINE, NotFound),
        (lambda: machines.get("shop", "m11"), NO_MACHINE, NotFound),
        (lambda: machines.get("other", "m1"), NO_APP, NotFound),
        (lambda: machines.get("shop", "m1"), answer(404, {"error": "no lease"}), NotFound),
        (lambda: machines.get("other", "m1"), answer(401, {}), Unauthorized),
    ],
)
def test_any_other_answer_is_one(
    fly: Fly, call: Callable[[], Call[Any]], said: Answer, error: type[ApiError]
) -> None:
    fly.run(create(), MADE)
    with pytest.raises(error):
        fly.run(call(), said)


def test_after_ten_seconds_it_is_believed(fly: Fly) -> None:
    fly.run(create(), MADE)
    fly.script.now_s += 9.9
    with pytest.raises(NotFound):
        fly.run(machines.get("shop", "m1"), NO_MACHINE, NO_MACHINE)


def test_what_was_deleted_is_gone_at_once(fly: Fly) -> None:
    fly.run(create(), MADE)
    fly.run(lifecycle.destroy("shop", "m1", force=True), answer(200, {"ok": True}))
    with pytest.raises(NotFound):
        fly.run(machines.get("shop", "m1"), NO_MACHINE)
