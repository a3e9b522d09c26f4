"""Creating a thing at most once, whatever is lost on the way."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest

from ephemera.client.calls import apps, creation
from ephemera.client.calls.creation import CREATE_ID, create
from ephemera.client.exchange import exchange
from ephemera.client.guard import CREATE_SENDS_MAX
from ephemera.client.messages import Answer, Lost
from ephemera.errors import (
    Conflict,
    Invalid,
    NoAnswer,
    NoCapacity,
    NotFound,
    ServerFault,
    Unreachable,
)
from ephemera.wire.models import File, Machine, MachineConfig
from tests.unit.client.scripted_api import LOST, REFUSED, Script, answer

NAME_TAKEN = answer(
    409,
    {
        "error": "already_exists: unique machine name violation, machine ID 148e0 already exists"
        ' with name "job-1"'
    },
)


@pytest.fixture
def script() -> Script:
    return Script()


def _machine(machine_id: str, create_id: str | None, **more: Any) -> dict[str, Any]:
    config = {"image": "host", "metadata": {CREATE_ID: create_id} if create_id else None}
    return {"id": machine_id, "name": "job-1", "config": config, **more}


def _create(script: Script, *replies: Any, **config: Any) -> Machine:
    with patch.object(creation, "new_ulid", return_value="01ME"):
        call = create("demo", config={"image": "host", **config}, name="job-1")
    return script.run(exchange(call, script.pace), *replies)


def _methods(script: Script) -> list[str]:
    return [sent.method for sent in script.sent]


def test_a_create_sends_a_name_and_an_id_to_find_it_by(script: Script) -> None:
    call = create("demo", config={"image": "host", "metadata": {"mine": "1"}}, region="ams")
    script.run(exchange(call, script.pace), answer(body=_machine("m1", "x")))
    body = json.loads(script.sent[0].body or b"")
    assert body["name"]
    assert body["region"] == "ams"
    assert body["config"]["metadata"] == {
        "mine": "1",
        CREATE_ID: body["config"]["metadata"][CREATE_ID],
    }
    assert len(body["config"]["metadata"][CREATE_ID]) == 26
    assert "skip_launch" not in body


def test_two_creates_have_different_names_and_ids() -> None:
    bodies = [json.loads(create("demo", config={"image": "host"}).body or b"") for _ in range(50)]
    assert len({body["name"] for body in bodies}) == 50
    assert len({body["config"]["metadata"][CREATE_ID] for body in bodies}) == 50


def test_a_machine_that_is_made_from_the_config_of_another_is_not_taken_for_it() -> None:
    config = MachineConfig(image="host", metadata={"mine": "1", CREATE_ID: "01ANOTHER"})
    metadata = json.loads(create("demo", config=config).body or b"")["config"]["metadata"]
    assert metadata["mine"] == "1"
    assert metadata[CREATE_ID] != "01ANOTHER"


def test_a_made_up_name_is_unique_also_where_its_words_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(creation, "new_machine_name", lambda: "calm-river-7371")
    names = {json.loads(create("demo", config={}).body or b"")["name"] for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("calm-river-7371-") for name in names)


def test_a_config_is_taken_as_a_model_or_a_mapping_and_left_as_it_is() -> None:
    model = MachineConfig(image="host", files=[File(guest_path="/a", raw_value="eA==")])
    plain = {"image": "host", "files": [{"guest_path": "/a", "raw_value": "eA=="}]}
    sent = [json.loads(create("demo", config=c).body or b"")["config"] for c in (model, plain)]
    for config in sent:
        del config["metadata"]
    assert sent == [plain, plain]
    assert model.metadata is None


def test_a_field_that_we_do_not_know_is_sent_on() -> None:
    model = MachineConfig.model_validate({"image": "host", "fly_added_this": {"a": [1]}})
    sent = json.loads(create("demo", config=model).body or b"")["config"]
    assert sent["fly_added_this"] == {"a": [1]}


def test_after_a_lost_answer_nothing_is_found_and_it_is_sent_again(script: Script) -> None:
    made = _create(script, LOST, answer(body=[]), answer(body=_machine("m2", "01ME")))
    assert made.id == "m2"
    assert _methods(script) == ["POST", "GET", "POST"]
    assert script.sent[0] == script.sent[2]
    assert dict(script.sent[1].query) == {
        "include_deleted": "true",
        f"metadata.{CREATE_ID}": "01ME",
    }


@pytest.mark.parametrize(
    "trouble",
    [LOST, answer(408), answer(500), answer(502), answer(504), Answer(200, {}, b'{"id": "m')],
)
def test_after_a_doubtful_answer_the_machine_is_adopted(
    script: Script, trouble: Answer | Lost
) -> None:
    made = _create(script, trouble, answer(body=[_machine("m1", "01ME")]))
    assert made.id == "m1"
    assert _methods(script) == ["POST", "GET"]


def test_of_two_machines_a_living_one_is_adopted_first_then_the_oldest(script: Script) -> None:
    listed = [
        _machine("new", "01ME", state="started", created_at="2026-01-01T00:00:02Z"),
        _machine("gone", "01ME", state="destroyed", created_at="2026-01-01T00:00:00Z"),
        _machine("old", "01ME", state="started", created_at="2026-01-01T00:00:01Z"),
    ]
    assert _create(script, LOST, answer(body=listed)).id == "old"


def test_a_machine_that_has_run_and_is_destroyed_counts_as_made(script: Script) -> None:
    listed = [_machine("gone", "01ME", state="destroyed")]
    assert _create(script, LOST, answer(body=listed)).id == "gone"


def test_a_server_that_ignores_the_filter_does_not_make_us_adopt_others(script: Script) -> None:
    listed = [_machine("a", None), _machine("b", "01OTHER"), {"id": "c"}]
    made = _create(script, LOST, answer(body=listed), answer(body=_machine("m2", "01ME")))
    assert made.id == "m2"


def test_a_machine_on_a_host_that_cannot_be_reached_is_found(script: Script) -> None:
    incomplete = {"id": "m1", "host_status": "unreachable", "incomplete_config": {}}
    incomplete["incomplete_config"] = {"metadata": {CREATE_ID: "01ME"}}
    assert _create(script, LOST, answer(body=[incomplete])).id == "m1"


def test_a_taken_name_at_the_first_send_is_somebody_elses(script: Script) -> None:
    with pytest.raises(Conflict, match="148e0 has this name"):
        _create(script, NAME_TAKEN)


def test_a_taken_name_after_a_lost_answer_is_our_own_machine(script: Script) -> None:
    # The lost request was still on its way when we looked.
    made = _create(script, LOST, answer(body=[]), NAME_TAKEN, answer(body=[_machine("m1", "01ME")]))
    assert made.id == "m1"


def test_a_name_that_somebody_else_took_meanwhile_is_a_conflict(script: Script) -> None:
    nothing = answer(body=[])
    with pytest.raises(Conflict):
        _create(script, LOST, nothing, NAME_TAKEN, nothing, NAME_TAKEN, nothing)


def test_a_create_is_sent_a_bounded_number_of_times(script: Script) -> None:
    with pytest.raises(NoAnswer):
        _create(script, *[LOST, answer(body=[])] * CREATE_SENDS_MAX)
    assert _methods(script).count("POST") == CREATE_SENDS_MAX


def test_a_server_that_keeps_failing_is_said_to_fail(script: Script) -> None:
    with pytest.raises(ServerFault):
        _create(script, *[answer(500, {"error": "boom"}), answer(body=[])] * CREATE_SENDS_MAX)


def test_when_looking_fails_too_nobody_claims_to_know(script: Script) -> None:
    with pytest.raises(NoAnswer, match="looking for it failed too") as caught:
        _create(script, LOST, *[REFUSED] * 9)
    assert not isinstance(caught.value, Unreachable)


@pytest.mark.parametrize(
    "refusal", [answer(500), answer(429, retry_after="60"), Answer(200, {}, b"<html>")]
)
def test_a_look_that_is_refused_tells_nothing_either(script: Script, refusal: Answer) -> None:
    with pytest.raises(NoAnswer, match="looking for it failed too"):
        _create(script, LOST, refusal)


def test_an_api_that_was_never_reached_has_made_nothing(script: Script) -> None:
    with pytest.raises(Unreachable):
        _create(script, *[REFUSED] * 9)
    assert _methods(script) == ["POST"] * 9


def test_an_api_that_goes_away_after_a_lost_answer_is_not_just_unreachable(
    script: Script,
) -> None:
    with pytest.raises(NoAnswer) as caught:
        _create(script, LOST, answer(body=[]), *[REFUSED] * 9, *[REFUSED] * 9)
    assert not isinstance(caught.value, Unreachable)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (answer(404, {"error": "app not found"}), NotFound),
        (answer(422, {"error": "invalid guest"}), Invalid),
        (answer(422, {"error": "x", "status": "insufficient_capacity"}), NoCapacity),
    ],
)
def test_a_refusal_is_final(script: Script, refusal: Answer, error: type[Exception]) -> None:
    with pytest.raises(error):
        _create(script, refusal)


def test_an_app_that_vanishes_while_we_look_is_said_to_be_missing(script: Script) -> None:
    missing = answer(404, {"error": "app not found"})
    with pytest.raises(NotFound):
        _create(script, LOST, missing, missing)


def test_an_app_whose_answer_was_lost_is_looked_up(script: Script) -> None:
    call = apps.create("demo")
    made = script.run(exchange(call, script.pace), LOST, answer(body={"id": "a1", "name": "demo"}))
    assert made.id == "a1"
    assert [sent.path for sent in script.sent] == ["/v1/apps", "/v1/apps/demo"]


def test_an_app_that_is_not_there_after_a_lost_answer_is_created_again(script: Script) -> None:
    call = apps.create("demo")
    made = script.run(exchange(call, script.pace), LOST, answer(404), answer(201, {"id": "a1"}))
    assert (made.id, made.name) == ("a1", "demo")


@pytest.mark.parametrize("hidden", [answer(403, {"error": "unauthorized"}), answer(404)])
def test_an_app_of_somebody_else_is_a_conflict(script: Script, hidden: Answer) -> None:
    taken = answer(
        422, {"error": "Validation failed: Name has already been taken", "status": "name_taken"}
    )
    call = apps.create("demo")
    with pytest.raises(Conflict):
        script.run(exchange(call, script.pace), LOST, hidden, taken, hidden, taken, hidden)


def test_an_app_that_exists_is_a_conflict_at_the_first_send(script: Script) -> None:
    with pytest.raises(Conflict):
        script.run(
            exchange(apps.create("demo"), script.pace), answer(422, {"status": "name_taken"})
        )


def test_an_app_made_by_an_answer_without_a_body_has_its_name(script: Script) -> None:
    assert script.run(exchange(apps.create("demo"), script.pace), answer(201)).name == "demo"
