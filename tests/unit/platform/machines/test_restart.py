from __future__ import annotations

import pytest

from ephemera.platform.machines.restart import (
    DEFAULT_MAX_RETRIES,
    FIRST_PAUSE_S,
    PAUSE_MAX_S,
    WINDOW_S,
    Decision,
    decide,
)
from ephemera.wire.models import Restart

NOW = 1_000_000.0


def _policy(policy: str, max_retries: int | None = None) -> Restart:
    return Restart.model_validate({"policy": policy, "max_retries": max_retries})


@pytest.mark.parametrize("exit_code", [0, 1, 137, -1])
def test_policy_no_never_restarts(exit_code: int) -> None:
    assert decide(_policy("no"), exit_code, [], NOW) == Decision(again=False)


@pytest.mark.parametrize("restart", [None, Restart(), _policy("on-failure")])
def test_the_default_restarts_failures_alone(restart: Restart | None) -> None:
    assert not decide(restart, 0, [], NOW).again
    assert decide(restart, 1, [], NOW).again


@pytest.mark.parametrize("exit_code", [0, 1])
def test_always_restarts_whatever_happens_however_often(exit_code: int) -> None:
    assert decide(_policy("always"), exit_code, [NOW] * 100, NOW).again


def test_retries_are_used_up_after_ten_in_five_minutes() -> None:
    nine = [NOW - 1] * (DEFAULT_MAX_RETRIES - 1)
    assert decide(None, 1, nine, NOW).again
    assert decide(None, 1, [*nine, NOW], NOW) == Decision(again=False, exhausted=True)


def test_restarts_outside_the_window_do_not_count() -> None:
    assert decide(None, 1, [NOW - WINDOW_S - 1] * 50, NOW) == Decision(again=True, pause=0.0)


def test_max_retries_is_kept() -> None:
    assert decide(_policy("on-failure", 1), 1, [], NOW).again
    assert decide(_policy("on-failure", 1), 1, [NOW], NOW).exhausted


def test_the_pause_doubles_up_to_its_maximum() -> None:
    pauses = [decide(_policy("always"), 1, [NOW] * n, NOW).pause for n in range(20)]
    assert pauses[:4] == [0.0, FIRST_PAUSE_S, FIRST_PAUSE_S * 2, FIRST_PAUSE_S * 4]
    assert pauses[-1] == PAUSE_MAX_S


@pytest.mark.parametrize("limit", [1, DEFAULT_MAX_RETRIES, 20, 100, 300])
def test_a_program_that_fails_at_once_uses_up_its_retries_whatever_their_number(limit: int) -> None:
    now, restarts = NOW, list[float]()
    decision = decide(_policy("on-failure", limit), 1, restarts, now)
    while decision.again and len(restarts) <= limit:
        restarts.append(now)
        now += decision.pause + 0.3
        decision = decide(_policy("on-failure", limit), 1, restarts, now)
    assert decision.exhausted
    assert len(restarts) == limit


def test_a_limit_that_no_window_holds_makes_no_hurry() -> None:
    assert decide(_policy("on-failure", 10**6), 1, [NOW] * 20, NOW).pause == PAUSE_MAX_S
