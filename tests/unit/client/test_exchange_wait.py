"""Waits of any length out of polls of at most a minute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from ephemera.client.calls import lifecycle
from ephemera.client.exchange import exchange
from ephemera.client.messages import Send
from ephemera.errors import ConfigError, Invalid, NotFound, Unreachable, WaitTimeout
from ephemera.wire.models import WaitResult
from tests.unit.client.scripted_api import LOST, REFUSED, Script, answer

STARTED = answer(body={"ok": True, "state": "started"})
NOT_YET = answer(
    408,
    {
        "error": "deadline_exceeded: machine failed to reach desired state, started, currently"
        " stopped"
    },
)


@pytest.fixture
def script() -> Script:
    return Script()


def _wait(
    script: Script, *replies: Any, timeout: float = 60, state: str | Sequence[str] = "started"
) -> WaitResult:
    call = lifecycle.wait("demo", "m1", state, timeout=timeout)
    return script.run(exchange(call, script.pace), *replies)


def _polls_s(sent: list[Send]) -> list[int]:
    return [int(dict(send.query)["timeout"]) for send in sent]


def test_a_wait_that_is_fulfilled_returns_the_state(script: Script) -> None:
    assert _wait(script, STARTED).state == "started"


def test_an_old_answer_that_says_only_ok_is_read(script: Script) -> None:
    assert _wait(script, answer(body={"ok": True})).ok


def test_several_states_are_sent_as_several_parameters(script: Script) -> None:
    _wait(script, STARTED, state=["stopped", "destroyed"])
    assert script.sent[0].query == (
        ("state", "stopped"),
        ("state", "destroyed"),
        ("timeout", "60"),
    )


@pytest.mark.parametrize(
    ("timeout", "polls_s"),
    [
        (0, [1]),
        (0.2, [1]),
        (1, [1]),
        (1.5, [2]),
        (60, [60]),
        (61, [60, 1]),
        (150, [60, 60, 30]),
        (120.5, [60, 60, 1]),
    ],
)
def test_a_wait_is_made_of_whole_polls(script: Script, timeout: float, polls_s: list[int]) -> None:
    script.takes_s = [float(poll) for poll in polls_s]
    with pytest.raises(WaitTimeout, match="currently stopped"):
        _wait(script, *[NOT_YET] * len(polls_s), timeout=timeout)
    assert _polls_s(script.sent) == polls_s
    assert script.pauses == []


def test_a_wait_without_end_polls_on(script: Script) -> None:
    script.takes_s = [60.0] * 100
    _wait(script, *[NOT_YET] * 100, STARTED, timeout=math.inf)
    assert set(_polls_s(script.sent)) == {60}


def test_the_client_is_more_patient_than_the_server(script: Script) -> None:
    _wait(script, STARTED, timeout=600)
    assert script.sent[0].read_timeout_s > 60


def test_a_server_that_answers_at_once_is_not_asked_without_a_pause(script: Script) -> None:
    with pytest.raises(WaitTimeout):
        _wait(script, *[NOT_YET] * 9, timeout=8)
    assert script.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 0.9])


def test_faults_in_between_do_not_end_a_wait(script: Script) -> None:
    script.takes_s = [60.0, 50.0, 0.0, 40.0]
    _wait(script, NOT_YET, LOST, REFUSED, STARTED, timeout=300)


def test_a_wait_that_is_sent_again_is_for_what_is_left(script: Script) -> None:
    script.takes_s = [50.0, 0.0]
    _wait(script, LOST, STARTED, timeout=60)
    assert _polls_s(script.sent) == [60, 10]


def test_an_api_that_stays_away_ends_a_wait(script: Script) -> None:
    with pytest.raises(Unreachable):
        _wait(script, *[REFUSED] * 9, timeout=math.inf)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (answer(404, {"error": "machine not found"}), NotFound),
        (answer(400, {"error": "invalid_argument: invalid WaitMachineRequest.Timeout"}), Invalid),
    ],
)
def test_a_refusal_ends_a_wait(script: Script, refusal: Any, error: type[Exception]) -> None:
    script.takes_s = [60.0]
    with pytest.raises(error):
        _wait(script, NOT_YET, refusal, timeout=600)


@pytest.mark.parametrize("timeout", [-1, -0.001, math.nan])
def test_a_time_that_cannot_be_waited_is_refused(timeout: float) -> None:
    with pytest.raises(ConfigError):
        lifecycle.wait("demo", "m1", timeout=timeout)


def test_a_version_is_passed_on(script: Script) -> None:
    call = lifecycle.wait("demo", "m1", "stopped", version="01HV")
    script.run(exchange(call, script.pace), STARTED)
    assert dict(script.sent[0].query)["version"] == "01HV"
