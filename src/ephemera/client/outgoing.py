"""What a request is in HTTP, whichever way it goes, and what it means when no answer comes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from ephemera import __version__
from ephemera.client.messages import Lost, Send
from ephemera.client.settings import Address
from ephemera.errors import ConfigError

CONNECT_TIMEOUT_S = 5.0
#: Sending a megabyte of config over a poor line.
WRITE_TIMEOUT_S = 30.0
#: A socket cannot be told to wait for ever in a number of seconds.
_READ_TIMEOUT_MOST_S = 24 * 3600.0
#: Servers close idle connections, uvicorn after 5 s. A request that is sent into one that is
#: just being closed is lost, so we close them first.
KEEPALIVE_S = 4.0
#: Servers read no longer ones.
_TARGET_CHARACTERS_MAX = 65_536

#: Of every request.
ALWAYS = {"accept": "application/json", "user-agent": f"ephemera/{__version__}"}


class Unanswered(Exception):
    """No complete answer came. The exchange makes one of our own errors of it."""

    def __init__(self, lost: Lost) -> None:
        super().__init__(lost.reason)
        self.lost = lost


def unanswered(error: Exception, address: Address, send: Send, *, sent: bool) -> Unanswered:
    """Return what an exception of an HTTP library means.

    Args:
        sent: False only where it is certain that no byte of the request has left.
    """
    what = str(error) or type(error).__name__
    where = address.logs_url if send.base == "logs" else address.shown
    return Unanswered(Lost(sent=sent, reason=f"{what}, at {where}", cause=error))


def base_of(address: Address, send: Send) -> str:
    """Return the URL of the server that is meant, without a slash at its end."""
    return address.logs_url if send.base == "logs" else address.url


def target_of(address: Address, send: Send) -> str:
    """Return the path below the base URL, with the query.

    Raises:
        ConfigError: it is too long, or has half a character in it.
    """
    pairs = send.query if address.fly else (*send.query, *send.own_query)
    try:
        target = f"{send.path}?{urlencode(pairs)}" if pairs else send.path
    except UnicodeEncodeError as error:
        raise unsendable(send, error) from error
    if len(target) > _TARGET_CHARACTERS_MAX:
        raise unsendable(send, f"its URL has {len(target)} characters")
    return target


def unsendable(send: Send, why: object) -> ConfigError:
    """Return the error for a request that cannot be written down."""
    return ConfigError(f"a request for {send.path[:80]} cannot be sent: {why}")


def headers_of(address: Address, send: Send) -> Iterator[tuple[str, str]]:
    """Yield the headers of one request, beside those of every one."""
    if address.authorization:
        yield "authorization", address.authorization
    if send.body is not None:
        yield "content-type", "application/json"
    yield from send.headers


def timeouts_of(send: Send) -> dict[str, float | None]:
    """Return the seconds that each step may take, in the words of both HTTP libraries.

    No pool has a limit, so nobody waits for a place in one.
    """
    return {
        "connect": CONNECT_TIMEOUT_S,
        "read": min(send.read_timeout_s, _READ_TIMEOUT_MOST_S),
        "write": WRITE_TIMEOUT_S,
        "pool": None,
    }
