"""Creating a machine in the first of several regions that has room, and only once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest

from ephemera.client.calls import creation
from ephemera.client.calls.creation import CREATE_ID, create
from ephemera.client.exchange import exchange
from ephemera.client.messages import Answer
from ephemera.errors import (
    ConfigError,
    Conflict,
    EphemeraError,
    Invalid,
    NoAnswer,
    NoCapacity,
    NotFound,
    ServerFault,
    Unauthorized,
    WrongState,
)
from ephemera.wire.models import Machine
from tests.unit.client.scripted_api import LOST, REFUSED, Script, answer

#: A machine of this very create.
OURS = {"id": "m1", "config": {"metadata": {CREATE_ID: "01ME"}}}
MADE = answer(body=OURS)
NOTHING = answer(body=[])
FOUND = answer(body=[OURS])
FULL = answer(422, {"error": "could not find a candidate host", "status": "insufficient_capacity"})
TAKEN = answer(409, {"error": "already_exists: unique machine name violation, machine ID m1 a"})

#: Every form in which the API says that it has no room.
NO_ROOM = [
    FULL,
    answer(422, {"error": "could not find a candidate host"}),
    answer(422, {"error": "x", "status": "insufficient_capacity"}),
    answer(400, {"error": "no capacity"}),
    answer(403, {"error": 'organization "x" is over the allowed quota. consider other regions'}),
    answer(409, {"error": "aborted: could not reserve resource for machine: insufficient memory"}),
    answer(409, {"error": "aborted: insufficient CPUs available"}),
    answer(409, {"error": "aborted: insufficient IPs available"}),
    answer(409, {"error": "aborted: no capacity"}),
    answer(412, {"error": "x", "status": "volume_placement_capacity"}),
    answer(412, {"error": "insufficient resources to create new machine with existing volume"}),
]
OTHER_ERRORS: list[tuple[Answer, type[EphemeraError]]] = [
    (answer(400, {"error": "invalid config"}), Invalid),
    (answer(401, {"error": "Authenticate: token validation error"}), Unauthorized),
    (answer(403, {"error": "unauthorized"}), Unauthorized),
    (answer(404, {"error": "app not found"}), NotFound),
    (TAKEN, Conflict),
    (answer(412, {"error": "failed_precondition: something"}), WrongState),
    (answer(422, {"error": "please add a payment method"}), Invalid),
]


@pytest.fixture
def script() -> Script:
    return Script()


def _create(
    script: Script, *replies: Any, region: str | Sequence[str] | None = ("ams", "fra", "iad")
) -> Machine:
    with patch.object(creation, "new_ulid", return_value="01ME"):
        call = create("demo", config={"image": "host"}, name="job", region=region)
    return script.run(exchange(call, script.pace), *replies)


def _tried(script: Script) -> list[str]:
    """Return the regions of the creates, and `look` for each look."""
    return [
        json.loads(sent.body)["region"] if sent.method == "POST" and sent.body else "look"
        for sent in script.sent
    ]


def test_the_first_region_with_room_gets_it(script: Script) -> None:
    assert _create(script, MADE).id == "m1"
    assert _tried(script) == ["ams"]


@pytest.mark.parametrize("full", NO_ROOM)
def test_without_room_the_next_region_is_tried(script: Script, full: Answer) -> None:
    assert _create(script, full, MADE).id == "m1"
    assert _tried(script) == ["ams", "fra"]


def test_each_try_is_the_same_machine_but_for_its_region(script: Script) -> None:
    _create(script, FULL, FULL, MADE)
    bodies = [json.loads(sent.body or b"") for sent in script.sent]
    assert [body.pop("region") for body in bodies] == ["ams", "fra", "iad"]
    assert bodies[0] == bodies[1] == bodies[2]


@pytest.mark.parametrize(("refusal", "error"), OTHER_ERRORS)
def test_any_other_error_is_final(
    script: Script, refusal: Answer, error: type[EphemeraError]
) -> None:
    with pytest.raises(error) as caught:
        _create(script, refusal)
    assert not isinstance(caught.value, NoCapacity)
    assert _tried(script) == ["ams"]


def test_where_no_region_has_room_the_error_has_every_answer(script: Script) -> None:
    quota = answer(403, {"error": "over the allowed quota"}, fly_request_id="01LAST")
    with pytest.raises(NoCapacity) as caught:
        _create(script, FULL, answer(409, {"error": "aborted: no capacity"}), quota)
    said = caught.value.message
    assert "in ams: could not find a candidate host; " in said
    assert "in fra: aborted: no capacity; " in said
    assert said.endswith("in iad: over the allowed quota")
    assert (caught.value.status, caught.value.request_id) == (403, "01LAST")
    assert "another region" in caught.value.hint


def test_an_error_after_full_regions_tells_of_them(script: Script) -> None:
    with pytest.raises(Invalid) as caught:
        _create(script, FULL, answer(400, {"error": "invalid config"}))
    assert caught.value.__notes__ == [
        "before that: creating machine 'job' of app 'demo' in ams: could not find a candidate host"
    ]


def test_a_doubtful_answer_is_looked_for_before_it_is_sent_again(script: Script) -> None:
    assert _create(script, LOST, NOTHING, MADE).id == "m1"
    assert _tried(script) == ["ams", "look", "ams"]


def test_a_doubt_that_lasts_never_leads_to_another_region(script: Script) -> None:
    with pytest.raises(NoAnswer):
        _create(script, *[LOST, NOTHING] * 3)
    assert set(_tried(script)) == {"ams", "look"}


def test_a_server_that_fails_is_no_reason_to_go_elsewhere(script: Script) -> None:
    with pytest.raises(ServerFault):
        _create(script, *[answer(500), NOTHING] * 3)
    assert set(_tried(script)) == {"ams", "look"}


def test_room_that_our_own_lost_send_took_is_found(script: Script) -> None:
    # It was on its way still when we looked, and then took the last room.
    assert _create(script, LOST, NOTHING, FULL, FOUND).id == "m1"
    assert _tried(script) == ["ams", "look", "ams", "look"]


def test_no_room_after_a_doubt_leads_on_when_nothing_is_found(script: Script) -> None:
    assert _create(script, LOST, NOTHING, FULL, NOTHING, MADE).id == "m1"
    assert _tried(script) == ["ams", "look", "ams", "look", "fra"]


def test_a_name_that_a_lost_send_took_in_the_region_before_is_ours(script: Script) -> None:
    assert _create(script, LOST, NOTHING, FULL, NOTHING, TAKEN, FOUND).id == "m1"


def test_when_looking_fails_no_other_region_is_tried(script: Script) -> None:
    with pytest.raises(NoAnswer, match="looking for it failed too"):
        _create(script, LOST, *[REFUSED] * 9)


@pytest.mark.parametrize("region", ["ams", ["ams"]])
def test_one_region_is_one_try(script: Script, region: str | list[str]) -> None:
    with pytest.raises(NoCapacity, match=r"in ams: could not find a candidate host \[HTTP 422\]"):
        _create(script, FULL, region=region)


def test_regions_in_one_text_are_the_apis_to_choose_from(script: Script) -> None:
    _create(script, MADE, region="ams,fra")
    assert _tried(script) == ["ams,fra"]


def test_without_a_region_none_is_sent(script: Script) -> None:
    _create(script, MADE, region=None)
    assert "region" not in json.loads(script.sent[0].body or b"")


@pytest.mark.parametrize("region", [[], "", ["ams", ""]])
def test_a_list_without_regions_is_refused(region: str | list[str]) -> None:
    with pytest.raises(ConfigError, match="names no region"):
        create("demo", config={"image": "host"}, region=region)
