"""Retry, back-off and lost answers, played without a socket or a clock."""

from __future__ import annotations

import email.utils
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ephemera.client.attempt import RETRY_FOR_S
from ephemera.client.call import Call
from ephemera.client.calls import (
    apps,
    certificates,
    ips,
    leases,
    lifecycle,
    machines,
    metadata,
    orgs,
    platform,
    secret_keys,
    secrets,
    tokens,
    volumes,
)
from ephemera.client.exchange import exchange
from ephemera.client.messages import Answer, Lost
from ephemera.errors import (
    NoAnswer,
    NotFound,
    RateLimited,
    ServerFault,
    Unreachable,
    WaitTimeout,
)
from ephemera.wire.models import Machine
from tests.unit.client.scripted_api import LOST, REFUSED, Script, answer

MACHINE = answer(body={"id": "m1", "state": "started"})
GET = machines.get("demo", "m1")
START = lifecycle.start("demo", "m1")

REPEATABLE: list[Call[Any]] = [
    GET,
    lifecycle.stop("demo", "m1"),
    lifecycle.destroy("demo", "m1"),
    metadata.set_metadata("demo", "m1", "k", "v"),
    metadata.delete_metadata("demo", "m1", "k"),
    leases.refresh("demo", "m1", "n", ttl=10),
    leases.release("demo", "m1", "n"),
    apps.delete("demo"),
    lifecycle.cordon("demo", "m1"),
    lifecycle.uncordon("demo", "m1"),
    machines.versions("demo", "m1"),
    machines.ps("demo", "m1"),
    machines.memory("demo", "m1"),
    machines.set_memory("demo", "m1", limit_mb=256),
    metadata.update_metadata("demo", "m1", {"k": None}),
    metadata.replace_metadata("demo", "m1", {}),
    volumes.list_("demo"),
    volumes.get("demo", "v1"),
    volumes.update("demo", "v1", snapshot_retention=7),
    volumes.extend("demo", "v1", size_gb=2),
    volumes.delete("demo", "v1"),
    volumes.snapshots("demo", "v1"),
    secrets.list_("demo"),
    secrets.get("demo", "A"),
    secrets.set_("demo", "A", "x"),
    secrets.update("demo", {"A": None}),
    secrets.delete("demo", "A"),
    secret_keys.list_("demo"),
    secret_keys.get("demo", "k"),
    secret_keys.set_("demo", "k", type="hs256", value=b"x"),
    secret_keys.delete("demo", "k"),
    secret_keys.encrypt("demo", "k", b"x"),
    secret_keys.decrypt("demo", "k", b"x"),
    secret_keys.sign("demo", "k", b"x"),
    secret_keys.verify("demo", "k", b"x", b"y"),
    certificates.page("demo"),
    certificates.get("demo", "a.example"),
    certificates.check("demo", "a.example"),
    certificates.delete("demo", "a.example"),
    certificates.delete_acme("demo", "a.example"),
    certificates.delete_custom("demo", "a.example"),
    ips.list_("demo"),
    ips.release("demo", "192.0.2.1"),
    platform.regions(),
    platform.placements(),
    orgs.machines_page(),
    orgs.volumes_page(),
    tokens.current(),
    tokens.authenticate("x"),
    tokens.authorize("x", {}),
    tokens.oidc(),
]
ONCE_ONLY: list[Call[Any]] = [
    START,
    lifecycle.restart("demo", "m1"),
    machines.signal("demo", "m1", "SIGUSR1"),
    machines.exec_("demo", "m1", ["true"]),
    machines.update("demo", "m1", config={"image": "host"}),
    leases.acquire("demo", "m1", ttl=10),
    lifecycle.suspend("demo", "m1"),
    machines.reclaim_memory("demo", "m1", amount_mb=64),
    volumes.create("demo", name="data"),
    volumes.create_snapshot("demo", "v1"),
    secret_keys.generate("demo", "k", type="es256"),
    certificates.create_acme("demo", "a.example"),
    certificates.create_custom("demo", "a.example", fullchain="", private_key=""),
    ips.assign("demo", "v4"),
    tokens.create_deploy("demo"),
    tokens.kms(),
]
#: An answer in which most calls find nothing, and none finds fault.
EMPTY = answer(body={"id": "m1", "nonce": "n", "token": "t", "volume": {}})
TOKEN = Answer(200, {}, b"t")
EMPTY_LIST = answer(body=[])
LISTING = (
    "listing the versions",
    "listing the processes",
    "listing the volumes of app",
    "listing the snapshots",
    "authenticating",
)


@pytest.fixture
def script() -> Script:
    return Script()


def _doing(call: Call[Any]) -> str:
    return call.doing


def _done(call: Call[Any]) -> Answer:
    """Return an answer that a call can be read from."""
    if call.path in ("/v1/tokens/oidc", "/v1/tokens/kms"):
        return TOKEN
    return EMPTY_LIST if call.doing.startswith(LISTING) else EMPTY


def test_an_answer_is_read(script: Script) -> None:
    found = script.run(exchange(GET, script.pace), MACHINE)
    assert isinstance(found, Machine)
    assert (found.id, found.state) == ("m1", "started")
    assert script.pauses == []


@pytest.mark.parametrize("call", [*REPEATABLE, *ONCE_ONLY], ids=_doing)
def test_what_was_never_sent_is_sent_again(script: Script, call: Call[Any]) -> None:
    script.run(exchange(call, script.pace), REFUSED, _done(call))
    assert script.sent == [call.send(), call.send()]


@pytest.mark.parametrize("call", [*REPEATABLE, *ONCE_ONLY], ids=_doing)
def test_what_was_turned_away_for_its_rate_is_sent_again(script: Script, call: Call[Any]) -> None:
    script.run(exchange(call, script.pace), answer(429, retry_after="1.5"), _done(call))
    assert script.pauses == [1.5]


@pytest.mark.parametrize("trouble", [LOST, answer(408), answer(502), answer(503), answer(504)])
@pytest.mark.parametrize("call", REPEATABLE, ids=_doing)
def test_a_repeatable_call_is_sent_again(
    script: Script, call: Call[Any], trouble: Answer | Lost
) -> None:
    script.run(exchange(call, script.pace), trouble, trouble, _done(call))
    assert len(script.sent) == 3


@pytest.mark.parametrize("call", ONCE_ONLY, ids=_doing)
@pytest.mark.parametrize(
    ("trouble", "error"),
    [(LOST, NoAnswer), (answer(502), ServerFault), (answer(503), ServerFault)],
)
def test_other_calls_are_sent_once(
    script: Script, call: Call[Any], trouble: Answer | Lost, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        script.run(exchange(call, script.pace), trouble)
    assert not isinstance(caught.value, Unreachable)
    assert "look whether it was done" in str(caught.value)


@pytest.mark.parametrize("call", [START, lifecycle.restart("demo", "m1")], ids=_doing)
def test_a_408_leaves_open_whether_it_was_done(script: Script, call: Call[Any]) -> None:
    with pytest.raises(NoAnswer, match="HTTP 408"):
        script.run(exchange(call, script.pace), answer(408, {"error": "deadline_exceeded: x"}))


def test_a_408_says_that_an_exec_took_too_long(script: Script) -> None:
    call = machines.exec_("demo", "m1", ["sleep", "99"])
    with pytest.raises(WaitTimeout, match="deadline_exceeded"):
        script.run(exchange(call, script.pace), answer(408, {"error": "deadline_exceeded: x"}))


def test_a_server_fault_that_is_no_gateways_is_not_repeated(script: Script) -> None:
    with pytest.raises(ServerFault):
        script.run(exchange(GET, script.pace), answer(500))


def test_a_refusal_is_not_repeated(script: Script) -> None:
    with pytest.raises(NotFound):
        script.run(exchange(GET, script.pace), answer(404, {"error": "machine not found"}))


def test_back_off_doubles_up_to_two_seconds_and_ends_within_ten(script: Script) -> None:
    with pytest.raises(Unreachable):
        script.run(exchange(GET, script.pace), *[REFUSED] * 9)
    assert script.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2])
    assert sum(script.pauses) <= RETRY_FOR_S


def test_back_off_is_spread_by_chance(script: Script) -> None:
    script.chance = 0.25
    script.run(exchange(GET, script.pace), REFUSED, REFUSED, MACHINE)
    assert script.pauses == pytest.approx([0.025, 0.05])


def test_retries_are_bounded_where_the_clock_stands_still(script: Script) -> None:
    script.chance = 0.0
    with pytest.raises(Unreachable):
        script.run(exchange(GET, script.pace), *[REFUSED] * 21)


def test_the_time_a_first_request_took_is_not_counted(script: Script) -> None:
    script.takes_s = [300.0]
    script.run(exchange(GET, script.pace), LOST, MACHINE)


def test_slow_failures_are_given_up_sooner(script: Script) -> None:
    script.takes_s = [30.0, 30.0]
    with pytest.raises(NoAnswer):
        script.run(exchange(GET, script.pace), LOST, LOST)


def test_a_rate_limit_that_lasts_too_long_is_the_callers_to_wait_for(script: Script) -> None:
    with pytest.raises(RateLimited) as caught:
        script.run(exchange(GET, script.pace), answer(429, retry_after="30"))
    assert caught.value.retry_after_s == 30


def test_a_rate_limit_without_a_time_is_backed_off_from(script: Script) -> None:
    script.run(exchange(GET, script.pace), answer(429), answer(429), MACHINE)
    assert script.pauses == pytest.approx([0.1, 0.2])


def test_a_rate_limit_may_name_a_date(script: Script) -> None:
    date = email.utils.format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    script.run(exchange(GET, script.pace), answer(429, retry_after=date), MACHINE)
    assert script.pauses == [0.0]


@pytest.mark.parametrize(
    "call",
    [
        lifecycle.destroy("demo", "m1"),
        apps.delete("demo"),
        leases.release("demo", "m1", "n"),
        metadata.delete_metadata("demo", "m1", "k"),
    ],
    ids=_doing,
)
def test_a_delete_whose_answer_was_lost_is_done_when_the_thing_is_gone(
    script: Script, call: Call[None]
) -> None:
    script.run(exchange(call, script.pace), LOST, answer(404, {"error": "not found"}))


@pytest.mark.parametrize("trouble", [REFUSED, answer(429)])
def test_a_delete_that_was_never_applied_finds_nothing_to_delete(
    script: Script, trouble: Answer | Lost
) -> None:
    with pytest.raises(NotFound):
        script.run(exchange(lifecycle.destroy("demo", "m1"), script.pace), trouble, answer(404))


@pytest.mark.parametrize(
    "call",
    [
        volumes.delete("demo", "v1"),
        secrets.delete("demo", "A"),
        secret_keys.delete("demo", "k"),
        certificates.delete_custom("demo", "a.example"),
    ],
    ids=_doing,
)
def test_a_delete_that_should_tell_something_makes_nothing_up(
    script: Script, call: Call[Any]
) -> None:
    with pytest.raises(NotFound):
        script.run(exchange(call, script.pace), LOST, answer(404, {"error": "not found"}))


def test_a_get_that_was_lost_and_then_finds_nothing_says_so(script: Script) -> None:
    with pytest.raises(NotFound):
        script.run(exchange(GET, script.pace), LOST, answer(404))


def test_never_reached_and_maybe_applied_are_told_apart(script: Script) -> None:
    stop = lifecycle.stop("demo", "m1")
    with pytest.raises(NoAnswer) as caught:
        script.run(exchange(stop, script.pace), LOST, *[REFUSED] * 8)
    assert not isinstance(caught.value, Unreachable)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"id": 7}', b'{"id": "m1"'])
def test_an_answer_that_cannot_be_read_is_the_servers_fault(script: Script, body: bytes) -> None:
    with pytest.raises(ServerFault, match="cannot be read") as caught:
        script.run(exchange(GET, script.pace), Answer(200, {"fly-request-id": "01R"}, body))
    assert caught.value.request_id == "01R"


def test_an_answer_that_cannot_be_read_is_not_quoted(script: Script) -> None:
    secret = answer(body={"id": "m1", "config": {"env": {"KEY": ["s3cret"]}}})
    with pytest.raises(ServerFault, match=r"config\.env\.KEY: Input should be a valid string") as e:
        script.run(exchange(GET, script.pace), secret)
    assert "s3cret" not in "".join(traceback.format_exception(e.value))


def test_the_transports_exception_is_kept_as_the_cause(script: Script) -> None:
    cause = OSError("broken pipe")
    with pytest.raises(NoAnswer) as caught:
        script.run(exchange(START, script.pace), Lost(sent=True, reason="x", cause=cause))
    assert caught.value.__cause__ is cause
