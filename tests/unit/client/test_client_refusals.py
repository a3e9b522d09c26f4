"""Every answer that the API is known to give has its error, and each error says what to do."""

from __future__ import annotations

import email.utils
import json
from datetime import UTC, datetime, timedelta

import pytest

from ephemera.client.messages import Answer
from ephemera.client.refusals import TABLE, Row, refusal, retry_after
from ephemera.errors import (
    ApiError,
    Conflict,
    Invalid,
    NoCapacity,
    NotFound,
    RateLimited,
    ServerFault,
    Unauthorized,
    WaitTimeout,
    WrongState,
)
from ephemera.platform.machines.room import GB, Space
from ephemera.platform.refusals import no_room
from tests.unit.client.scripted_api import answer

#: status, what the body says, the error it is, a part of the hint.
KNOWN: list[tuple[int, dict[str, str], type[ApiError], str]] = [
    (400, {"error": "EOF"}, Invalid, ""),
    (400, {"error": "volume not found"}, Invalid, ""),
    (
        400,
        {
            "error": "unsupported: config.image: the 'process' driver cannot run image 'x',"
            " only host"
        },
        Invalid,
        "ephemera up --driver container",
    ),
    (400, {"error": "no capacity"}, NoCapacity, "another region"),
    (400, {"error": "invalid stop_config.timeout, cannot exceed 5 minutes"}, Invalid, ""),
    (
        400,
        {
            "error": "invalid_argument: invalid WaitMachineRequest.Timeout: value must be inside"
            " range [1s, 1m0s]"
        },
        Invalid,
        "",
    ),
    (
        400,
        {"error": "json: cannot unmarshal array into Go value of type main.stopRequest"},
        Invalid,
        "",
    ),
    (401, {"error": "Authenticate: token validation error"}, Unauthorized, "cut short"),
    (401, {"error": "verify: invalid token: no tokens found in header"}, Unauthorized, "token"),
    (403, {"error": "unauthorized"}, Unauthorized, "somebody else"),
    (
        403,
        {
            "error": 'organization "x" is using 9 MB of memory in dfw which is over the allowed'
            " quota. please consider other regions"
        },
        NoCapacity,
        "another region",
    ),
    (404, {"error": "app not found"}, NotFound, "apps list"),
    (404, {"error": "Could not find App"}, NotFound, "apps list"),
    (404, {"error": "machine not found"}, NotFound, ""),
    (404, {"error": "volume not found"}, NotFound, ""),
    (
        408,
        {
            "error": "deadline_exceeded: machine failed to reach desired state, started, currently"
            " stopped"
        },
        WaitTimeout,
        "again",
    ),
    (
        408,
        {"error": "machine failed to reach desired state, started, currently stopped"},
        WaitTimeout,
        "again",
    ),
    (
        408,
        {
            "error": "deadline_exceeded: machine failed to reach desired state, started, currently"
            " failed"
        },
        WaitTimeout,
        "its events",
    ),
    (408, {"error": "deadline_exceeded: the command did not end"}, WaitTimeout, ""),
    (
        409,
        {
            "error": "already_exists: unique machine name violation, machine ID 148e02 already"
            ' exists with name "x"'
        },
        Conflict,
        "148e02",
    ),
    (
        409,
        {
            "status": "error",
            "message": "machine ID 3d8d lease currently held by hello@fly.io, expires at"
            " 2022-10-20 19:59:06 +0000 UTC",
            "code": "invalid",
        },
        Conflict,
        "nonce",
    ),
    (
        409,
        {"error": "aborted: machine ID 3d8d lease currently held by x, expires at 2026-08-14"},
        Conflict,
        "nonce",
    ),
    (
        409,
        {"error": "aborted: machine update failed due to concurrent update"},
        Conflict,
        "update again",
    ),
    (409, {"error": "unable to destroy machine, not currently stopped"}, WrongState, "force"),
    (
        412,
        {"error": "failed_precondition: unable to destroy machine, not currently stopped"},
        WrongState,
        "force",
    ),
    (
        409,
        {
            "error": "aborted: could not reserve resource for machine: insufficient memory"
            " available to fulfill request on the current host"
        },
        NoCapacity,
        "another region",
    ),
    (
        409,
        {
            "error": "aborted: could not reserve resource for machine: insufficient CPUs available"
            " to fulfill request"
        },
        NoCapacity,
        "another region",
    ),
    (409, {"error": "aborted: insufficient IPs available"}, NoCapacity, "another region"),
    (409, {"error": "aborted: no capacity"}, NoCapacity, "another region"),
    (
        409,
        {"error": "deploys to this host are temporarily disabled, please try again later"},
        NoCapacity,
        "another region",
    ),
    (409, {"error": "governor policy blocked start"}, NoCapacity, "another region"),
    (412, {"error": "not enough capacity in region cdg"}, NoCapacity, "another region"),
    (422, {"error": "Your organization has reached its machine limit."}, Invalid, "support"),
    (409, {"error": "aborted: something new"}, Conflict, ""),
    (
        412,
        {
            "error": "insufficient resources to create new machine with existing volume id 'vol_1'",
            "status": "volume_placement_capacity",
        },
        NoCapacity,
        "fork",
    ),
    (
        412,
        {"error": "insufficient resources to create new machine with existing volume id 'vol_1'"},
        NoCapacity,
        "fork",
    ),
    (
        412,
        {
            "error": "failed_precondition: unable to start machine from current state: 'created'",
        },
        WrongState,
        "wait until",
    ),
    (
        412,
        {"error": "failed_precondition: machine still active, refusing to start"},
        WrongState,
        "wait until",
    ),
    (
        412,
        {"error": "failed_precondition: machine getting replaced, refusing to start"},
        WrongState,
        "wait until",
    ),
    (412, {"error": "failed_precondition: something new"}, WrongState, "its state"),
    (413, {"error": "payload too large"}, Invalid, "larger"),
    (
        422,
        {
            "error": "Validation failed: Name under 63 chars using numbers, lowercase letters and"
            " dashes"
        },
        Invalid,
        "",
    ),
    (
        422,
        {"error": "Validation failed: Name has already been taken", "status": "name_taken"},
        Conflict,
        "another name",
    ),
    (422, {"error": "Validation failed: Name has already been taken"}, Conflict, "another name"),
    (422, {"error": "uniqueness constraint violated"}, Conflict, "another name"),
    (
        409,
        no_room(str(Space(free_bytes=0, kept_bytes=GB))).body(),
        NoCapacity,
        "prune images",
    ),
    (
        422,
        {"error": "could not find a candidate host", "status": "insufficient_capacity"},
        NoCapacity,
        "another region",
    ),
    (422, {"error": "could not find a candidate host"}, NoCapacity, "another region"),
    (
        422,
        {
            "error": "To create more than 1 machine per app please add a payment method",
            "status": "unknown",
        },
        Invalid,
        "payment",
    ),
    (
        412,
        {"error": "failed_precondition: volume is currently bound to machine: 148e02"},
        WrongState,
        "148e02",
    ),
    (
        412,
        {"error": "failed_precondition: snapshot is already scheduled at 2026-08-14T09:57:35Z"},
        WrongState,
        "snapshots",
    ),
    (400, {"error": "Mounts source volume 'vol_1' is in the wrong region"}, Invalid, ""),
    (400, {"error": "invalid memory size: 128 MB, must be at least 256"}, Invalid, ""),
    (422, {"error": "guest.memory_mb is above the limit for shared-cpu-1x"}, Invalid, ""),
    (404, {"error": "lease not found"}, NotFound, ""),
    (
        422,
        {
            "error": 'organization "x" is using 9 MB of memory in dfw which is over the allowed'
            " quota. please consider other regions"
        },
        NoCapacity,
        "another region",
    ),
    (
        403,
        {"error": "To create more than 1 machine per app please add a payment method"},
        Invalid,
        "payment",
    ),
    (422, {"error": "no room", "status": "insufficient_capacity"}, NoCapacity, "another region"),
    (422, {"error": "hello", "status": "name_taken"}, Conflict, "another name"),
    (429, {"error": "resource_exhausted: rate limit exceeded"}, RateLimited, "fewer"),
    (500, {"error": "internal"}, ServerFault, ""),
    (503, {"error": "unavailable"}, ServerFault, ""),
]


@pytest.mark.parametrize(("status", "body", "kind", "hint"), KNOWN)
def test_every_known_answer_has_its_error(
    status: int, body: dict[str, str], kind: type[ApiError], hint: str
) -> None:
    error = refusal("doing a thing", answer(status, body))
    assert type(error) is kind
    assert error.status == status
    assert error.message == f"doing a thing: {body.get('message') or body['error']}"
    assert hint in error.hint


def _deciding(status: int, code: str, text: str) -> Row | None:
    return next((row for row in TABLE if row.fits(status, code, text)), None)


def test_every_row_of_the_table_decides_a_known_answer() -> None:
    deciding = {
        id(_deciding(status, body.get("status", ""), body.get("message", body.get("error", ""))))
        for status, body, _, _ in KNOWN
    }
    idle = [row for row in TABLE if id(row) not in deciding]
    assert idle == []


@pytest.mark.parametrize("status", range(300, 600))
def test_every_status_has_an_error_that_tells_it(status: int) -> None:
    error = refusal("doing a thing", answer(status))
    assert error.status == status
    assert isinstance(error, ServerFault) == (not 400 <= status < 500)
    assert error.message.startswith("doing a thing: ")
    assert len(error.message) > len("doing a thing: ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "b", "message": "a"}, "a"),
        ({"error": "b", "message": ""}, "b"),
        ({"errors": {"detail": "c"}}, "c"),
        ({"errors": ["x"]}, "bad request"),
        ({"error": {"nested": 1}}, "{'nested': 1}"),
        ({}, "bad request"),
        ([1, 2], "[1, 2]"),
        (None, "bad request"),
    ],
)
def test_the_text_is_found_wherever_the_api_puts_it(body: object, said: str) -> None:
    assert refusal("x", answer(400, body)).message == f"x: {said}"


def test_an_error_page_is_cut_short() -> None:
    page = b"<html>\n" + b"<p>sorry  </p>\n" * 1000
    error = refusal("x", Answer(502, {}, page))
    assert error.message.startswith("x: <html> <p>sorry </p>")
    assert len(error.message) < 300


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000])
def test_json_that_is_nested_too_deeply_is_a_page_like_any_other(body: bytes) -> None:
    assert len(refusal("x", Answer(502, {}, body)).message) < 300


def test_a_status_word_that_is_not_one_is_ignored() -> None:
    assert refusal("x", answer(409, {"error": "no", "status": 7})).code == ""


def test_the_request_id_and_the_code_are_kept() -> None:
    error = refusal("x", answer(422, {"status": "name_taken"}, fly_request_id="01J"))
    assert (error.request_id, error.code) == ("01J", "name_taken")


@pytest.mark.parametrize(
    "quoted",
    [
        "Bearer s3cret",
        "FlyV1 fm2_s3cret,fm2_s3cret",
        "fm1r_s3cret",
        "ephd_s3cret",
        "Bearer FlyV1 fm2_s3cret",
    ],
)
def test_a_token_that_the_api_quotes_is_not_shown(quoted: str) -> None:
    for body in (json.dumps({"error": f"bad header: {quoted}"}), f"bad header: {quoted}"):
        assert "s3cret" not in str(refusal("x", Answer(401, {}, body.encode())))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("9" * 400, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        (f"Wed, 21 Oct {'9' * 20} 07:28:00 GMT", None),
        (f"Wed, 21 Oct 2015 07:28:00 +{'9' * 20}", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after(answer(429, retry_after=header)) == seconds


def test_retry_after_may_be_a_date_to_come() -> None:
    date = email.utils.format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    seconds = retry_after(answer(429, retry_after=date))
    assert seconds is not None
    assert 3000 < seconds <= 3600


def test_a_rate_limit_carries_the_time_to_wait() -> None:
    error = refusal("x", answer(429, {"error": "slow down"}, retry_after="2"))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 2.0
