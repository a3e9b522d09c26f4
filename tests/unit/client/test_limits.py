"""The API's rate limits, kept on the client's side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ephemera.client.call import Call
from ephemera.client.calls import (
    apps,
    certificates,
    creation,
    lifecycle,
    logs,
    machines,
    metadata,
    platform,
    tokens,
    volumes,
)
from ephemera.client.exchange import exchange, follow, limited
from ephemera.client.limits import Limiter, action_of
from tests.unit.client.scripted_api import Script, answer

START = lifecycle.start("demo", "m1")


@pytest.fixture
def limiter() -> Limiter:
    return Limiter()


def _pauses(limiter: Limiter, call: Call[Any], count: int, now: float = 0.0) -> list[float]:
    return [limiter.pause(call.send(), now) for _ in range(count)]


def test_three_at_once_and_then_one_a_second(limiter: Limiter) -> None:
    assert _pauses(limiter, START, 6) == [0, 0, 0, 1, 2, 3]


def test_a_machine_may_be_looked_at_more_often(limiter: Limiter) -> None:
    get = machines.get("demo", "m1")
    assert _pauses(limiter, get, 12) == pytest.approx([0] * 10 + [0.2, 0.4])


def test_apps_are_deleted_a_hundred_a_minute_all_together(limiter: Limiter) -> None:
    pauses = [limiter.pause(apps.delete(f"app-{n}").send(), 0) for n in range(101)]
    assert pauses[:100] == pytest.approx([0] * 100)
    assert pauses[100] == pytest.approx(0.6)


def test_time_gives_the_burst_back(limiter: Limiter) -> None:
    _pauses(limiter, START, 3)
    assert _pauses(limiter, START, 2, now=1.0) == [0, 1]
    assert _pauses(limiter, START, 4, now=60.0) == [0, 0, 0, 1]


def test_a_clock_that_goes_back_is_not_a_hole(limiter: Limiter) -> None:
    _pauses(limiter, START, 3, now=100.0)
    assert min(_pauses(limiter, START, 1, now=99.0)) > 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (START, lifecycle.start("demo", "m2")),
        (START, lifecycle.start("other", "m1")),
        (START, lifecycle.stop("demo", "m1")),
        (machines.get("demo", "m1"), machines.list_("demo")),
        (machines.events("demo", "m1"), machines.versions("demo", "m1")),
        (volumes.get("demo", "v1"), volumes.list_("demo")),
        (volumes.extend("demo", "v1", size_gb=2), volumes.update("demo", "v1")),
        (platform.regions(), tokens.current()),
        (tokens.oidc(), tokens.kms()),
        (metadata.metadata("demo", "m1"), metadata.get_metadata("demo", "m1", "k")),
    ],
    ids=lambda call: call.doing,
)
def test_these_do_not_wait_for_each_other(
    limiter: Limiter, one: Call[Any], other: Call[Any]
) -> None:
    _pauses(limiter, one, 20)
    assert _pauses(limiter, other, 3) == [0, 0, 0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            # With names: made-up ones would differ between the processes that run the tests.
            creation.create("demo", config={}, name="w"),
            creation.create("demo", config={}, name="x"),
        ),
        (metadata.get_metadata("demo", "m1", "a"), metadata.get_metadata("demo", "m1", "b")),
        (volumes.get("demo", "v1"), volumes.get("demo", "v2")),
        (machines.list_("demo"), machines.list_("demo", region="ams")),
        (certificates.get("demo", "a.example"), certificates.get("demo", "b.example")),
    ],
    ids=lambda call: call.doing,
)
def test_these_share_a_limit(limiter: Limiter, one: Call[Any], other: Call[Any]) -> None:
    _pauses(limiter, one, 3)
    assert _pauses(limiter, other, 1) == [1]


def test_logs_are_no_part_of_it(limiter: Limiter) -> None:
    assert _pauses(limiter, logs.page("demo"), 50) == [0] * 50


def test_an_action_is_told_by_the_kinds_in_a_path() -> None:
    assert action_of(START.send()) == ("POST apps//machines//start", "apps/demo/machines/m1")
    assert action_of(apps.delete("demo").send()) == ("DELETE apps/", "")
    assert action_of(apps.list_().send()) == ("GET apps", "apps")


def test_buckets_that_are_full_again_are_forgotten(limiter: Limiter) -> None:
    for n in range(10_000):
        limiter.pause(lifecycle.start("demo", f"m{n}").send(), now=float(n))
    assert len(vars(limiter)["_full_at"]) < 3000


def test_threads_get_a_moment_each(limiter: Limiter) -> None:
    send = START.send()
    with ThreadPoolExecutor(8) as pool:
        pauses = list(pool.map(lambda _: limiter.pause(send, 0.0), range(40)))
    assert sorted(pauses) == [0, 0, *range(38)]


def _limited(script: Script, steps: Callable[[], Any], limiter: Limiter, *replies: Any) -> None:
    script.run(limited(steps(), limiter, script.pace), *replies)


def test_what_is_too_early_is_paused_before(script: Script, limiter: Limiter) -> None:
    for _ in range(5):
        _limited(script, lambda: exchange(START, script.pace), limiter, answer(body={}))
    assert script.pauses == [1.0, 1.0]
    assert len(script.sent) == 5


def test_being_turned_away_all_the_same_is_waited_for_too(script: Script, limiter: Limiter) -> None:
    turned_away = answer(429, retry_after="2")
    _limited(script, lambda: exchange(START, script.pace), limiter, turned_away, answer(body={}))
    assert script.pauses == [2.0]


def test_a_stream_is_limited_like_a_call(script: Script, limiter: Limiter) -> None:
    pages = [{"certificates": [], "next_cursor": str(n)} for n in range(4)]
    _limited(
        script,
        lambda: follow(certificates.list_("demo"), script.pace),
        limiter,
        *[answer(body=page) for page in pages],
        answer(body={}),
    )
    assert len(script.sent) == 5
    assert sum(script.pauses) == pytest.approx(2.0)


@pytest.fixture
def script() -> Script:
    return Script()
