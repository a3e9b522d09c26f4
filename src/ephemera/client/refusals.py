"""Which error an answer of the API is: one table, read from the top.

The API's status alone does not say what is wrong: it tells of a full host as 400, 403, 409, 412
or 422, and of a machine in the wrong state as 409 or 412. What does not change is the text, and
in newer answers a `status` word in the body. The first row that fits decides.

Source of the texts: captured answers of Fly.io and the source of its own clients.
"""

from __future__ import annotations

import email.utils
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from ephemera.client.messages import Answer
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


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of answer, and the error it is."""

    kind: type[ApiError]
    #: What to try next. `{1}` is what the text's first group matched.
    hint: str = ""
    #: Any of these; none given fits all.
    statuses: frozenset[int] = frozenset()
    #: The API's own word for the kind of error; an empty one fits all.
    code: str = ""
    #: Regular expressions, any of which the text has in it.
    texts: tuple[str, ...] = ()

    def fits(self, status: int, code: str, text: str) -> re.Match[str] | bool:
        """Return whether this row is about such an answer: a match where the text decided."""
        if self.statuses and status not in self.statuses:
            return False
        if self.code and code != self.code:
            return False
        if not self.texts:
            return True
        return re.search("|".join(self.texts), text, re.IGNORECASE) or False


def _row(
    kind: type[ApiError], hint: str, *statuses: int, code: str = "", texts: tuple[str, ...] = ()
) -> Row:
    return Row(kind, hint, frozenset(statuses), code, texts)


_ELSEWHERE = "try another region, a smaller guest, or again later"
_VOLUME_HOST_FULL = "the volume's host is full: try again later, or fork the volume"

TABLE: tuple[Row, ...] = (
    # What only the text or the code tells.
    _row(NoCapacity, _VOLUME_HOST_FULL, code="volume_placement_capacity"),
    _row(
        NoCapacity,
        _VOLUME_HOST_FULL,
        *(409, 412, 422),
        texts=("insufficient resources .* existing volume",),
    ),
    _row(
        NoCapacity,
        "make room on its disk: destroy machines, or prune images",
        409,
        texts=("insufficient disk .* kept so",),  # as the embedded platform says it
    ),
    _row(NoCapacity, _ELSEWHERE, code="insufficient_capacity"),
    _row(
        Invalid,
        "the organisation's plan does not allow it: add a payment method there",
        *(403, 422),
        texts=("payment method",),
    ),
    _row(
        Invalid,
        "destroy some, or ask Fly.io for more: its support raises the limit",
        *(403, 422),
        texts=("reached its machine limit",),
    ),
    _row(
        NoCapacity,
        _ELSEWHERE,
        *(400, 403, 409, 412, 422),
        texts=(
            "could not reserve resource",
            "insufficient resources",
            "insufficient memory",
            "insufficient CPUs",
            "insufficient IPs",
            "no capacity",
            "not enough capacity",
            "deploys to this host are temporarily disabled",
            "governor policy blocked",
            "could not find a candidate host",
            "over the allowed quota",
        ),
    ),
    _row(Conflict, "choose another name", code="name_taken"),
    _row(
        Conflict,
        "choose another name",
        422,
        texts=("name has already been taken", "uniqueness constraint violated"),
    ),
    _row(
        WrongState,
        "stop it first, or destroy it with force",
        *(409, 412),
        texts=("unable to destroy machine, not currently stopped",),
    ),
    _row(
        Invalid,
        "`ephemera doctor` says whether the container driver runs on that computer; then"
        " `ephemera down` and `ephemera up --driver container` there",
        400,
        texts=("unsupported: .* the 'process' driver",),  # only ours has drivers
    ),
    # What the status tells, with better advice where the text is known.
    _row(
        Unauthorized,
        "the token is missing, expired, cut short where it was pasted, or not one of this API's",
        401,
    ),
    _row(
        Unauthorized,
        "the token may not do this, or the app is somebody else's; what a machine may do for its"
        " app says the app's secret FLY_API_TOKEN",
        403,
    ),
    _row(NotFound, "`ephemera apps list` names the apps that there are", 404, texts=(r"\bapp\b",)),
    _row(NotFound, "", 404),
    _row(
        WaitTimeout,
        "it could not be started: its events say why",
        408,
        texts=("failed to reach desired state, .*currently failed",),
    ),
    _row(WaitTimeout, "waiting again is safe", 408, texts=("failed to reach desired state",)),
    _row(WaitTimeout, "", 408),
    _row(
        Conflict,
        "machine {1} has this name",
        409,
        texts=(r"unique machine name violation, machine ID (\S+) already exists",),
    ),
    _row(
        Conflict,
        "wait until the lease expires, or pass the nonce of the lease you hold",
        409,
        texts=("lease currently held",),
    ),
    _row(Conflict, "get the machine and update again", 409, texts=("concurrent update",)),
    _row(Conflict, "", 409),
    _row(
        WrongState,
        "wait until the machine is stopped, then start it",
        412,
        texts=("unable to start machine from current state", "still active", "getting replaced"),
    ),
    _row(
        WrongState,
        "destroy machine {1} first",
        412,
        texts=(r"volume is currently bound to machine:? (\S+)",),
    ),
    _row(WrongState, "list the volume's snapshots", 412, texts=("snapshot is already scheduled",)),
    _row(WrongState, "get the machine and look at its state", 412),
    _row(Invalid, "the request is larger than the API takes", 413),
    _row(RateLimited, "send fewer requests: 1 per second for each action and machine", 429),
)


def refusal(doing: str, answer: Answer) -> ApiError:
    """Return the error that an answer is.

    Args:
        doing: What the caller was doing, for the message.
    """
    text, code = _said(answer)
    kind, hint = _kind(answer.status, code, text)
    message = f"{doing}: {text}"
    request_id = answer.headers.get("fly-request-id", "")
    if kind is RateLimited:
        return RateLimited(
            message,
            status=answer.status,
            code=code,
            request_id=request_id,
            hint=hint,
            retry_after_s=retry_after(answer),
        )
    return kind(message, status=answer.status, code=code, request_id=request_id, hint=hint)


def unreadable(doing: str, answer: Answer, why: str) -> ServerFault:
    """Return the error that a successful answer is which makes no sense."""
    kind = answer.headers.get("content-type", "no content type")
    return ServerFault(
        f"{doing}: the answer cannot be read: {why} ({len(answer.body)} bytes, {kind})",
        status=answer.status,
        request_id=answer.headers.get("fly-request-id", ""),
        hint="is this the address of a Machines API?",
    )


def retry_after(answer: Answer) -> float | None:
    """Return the seconds that the server asked us to wait, or None where it did not say."""
    value = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (until - datetime.now(UTC)).total_seconds()) if until.tzinfo else None


def _kind(status: int, code: str, text: str) -> tuple[type[ApiError], str]:
    for row in TABLE:
        found = row.fits(status, code, text)
        if found:
            first = found[1] if isinstance(found, re.Match) and found.re.groups else ""
            return row.kind, row.hint.replace("{1}", first)
    if 400 <= status < 500:
        return Invalid, ""
    if 300 <= status < 400:
        return ServerFault, "is this the address of a Machines API? it redirects"
    return ServerFault, ""


def _said(answer: Answer) -> tuple[str, str]:
    """Return what a refusal says, and its `status` word.

    `message` goes before `error`, as in Fly's own client; `errors.detail` is a third form.
    """
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):  # the latter for thousands of brackets
        body = None
    if not isinstance(body, dict):
        return _excerpt(answer.body) or _phrase(answer.status), ""
    errors = body.get("errors")
    detail = errors.get("detail") if isinstance(errors, dict) else None
    text = next((t for t in (body.get("message"), body.get("error"), detail) if t), None)
    code = body.get("status")
    said = _without_tokens(str(text)) if text else _phrase(answer.status)
    return said, code if isinstance(code, str) else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return "no reason given"


#: An error page in full helps nobody; its beginning often does.
_EXCERPT_CHARACTERS = 200

_TOKEN = re.compile(r"\b(?:fm1[ra]_|fm2_|ephd_)\S+|\b(?:Bearer|FlyV1)\s+\S+", re.IGNORECASE)


def _excerpt(body: bytes) -> str:
    text = " ".join(body.decode(errors="replace").split())
    return _without_tokens(text)[:_EXCERPT_CHARACTERS]


def _without_tokens(text: str) -> str:
    """Return `text` with anything that looks like a token taken out: an API may quote one."""
    return _TOKEN.sub("[a token]", text)
