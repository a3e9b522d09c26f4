"""Requests to this computer: what becomes of a connection, and of what travels on it."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import httpcore2
import pytest

from ephemera.client.connecting import AsyncConnecting
from ephemera.client.messages import Answer, Send
from ephemera.client.near import AsyncNear, Near
from ephemera.client.outgoing import Unanswered
from ephemera.client.settings import Address

ADDRESS = Address("http://localhost", "http://localhost", authorization="Bearer t")
GET = Send("GET", "/v1/apps")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-Odd: \xe9\r\n\r\n{}"
REFUSAL = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}"
#: More than sockets and buffers hold.
MUCH = b"x" * 4 * 1024 * 1024

Step = Send | Callable[[], object]
Run = Callable[..., list[Answer]]


@dataclass
class Served:
    """What a server has seen. Its sockets close at once, as those of TCP do not."""

    path: str
    #: The number of the connection, and what came on it.
    requests: list[tuple[int, bytes]] = field(default_factory=list)
    #: What `recv` returned first, of each request.
    pieces: list[bytes] = field(default_factory=list)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    closed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


@contextmanager
def serving(*connections: tuple[bytes, ...]) -> Iterator[Served]:
    """Serve some connections one after the other, with an answer for each request.

    An empty one is none: then the client is waited for until it closes.
    """
    # The path of a socket may have no more than a hundred characters or so.
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        served = Served(str(Path(folder) / "api"))
        listener.bind(served.path)
        listener.listen()

        def serve() -> None:
            for number, answers in enumerate(connections):
                connection, _ = listener.accept()
                with connection:
                    for answer in answers:
                        served.requests.append((number, _request(connection, served)))
                        served.arrived.release()
                        if answer:
                            connection.sendall(answer)
                        else:
                            connection.recv(1)
                served.closed.release()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield served
        thread.join()


def _request(connection: socket.socket, served: Served) -> bytes:
    came = connection.recv(65536)
    served.pieces.append(came)
    length = re.search(rb"content-length: (\d+)", came)
    end = came.index(b"\r\n\r\n") + 4 + int(length[1] if length else 0)
    while len(came) < end:
        came += connection.recv(65536)
    return came


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Return a function that sends requests through a socket, and does things in between."""

    def blocking(path: str, *steps: Step, address: Address = ADDRESS) -> list[Answer]:
        near, answers = Near(path), []
        try:
            for step in steps:
                if isinstance(step, Send):
                    answers.append(near.ask(address, step))
                else:
                    step()
        finally:
            near.close()
        return answers

    def awaited(path: str, *steps: Step, address: Address = ADDRESS) -> list[Answer]:
        async def go() -> list[Answer]:
            near, answers = AsyncNear(path), []
            try:
                for step in steps:
                    if isinstance(step, Send):
                        answers.append(await near.ask(address, step))
                    else:
                        step()  # the event loop hears of nothing meanwhile
            finally:
                await near.close()
            return answers

        return asyncio.run(go())

    return blocking if request.param == "sync" else awaited


def test_a_connection_is_used_again(run: Run) -> None:
    with serving((OK, OK, OK)) as served:
        answers = run(served.path, GET, GET, GET)
    assert answers == [Answer(200, {"content-length": "2", "x-odd": "é"}, b"{}")] * 3
    assert [number for number, _ in served.requests] == [0, 0, 0]


def test_one_that_the_server_has_closed_is_not(run: Run) -> None:
    with serving((OK,), (OK,)) as served:
        run(served.path, GET, served.closed.acquire, GET)
    assert [number for number, _ in served.requests] == [0, 1]


def test_one_that_the_server_says_it_will_close_is_not(run: Run) -> None:
    last = OK.replace(b"X-Odd: \xe9", b"connection: close")
    with serving((last,), (OK,)) as served:
        run(served.path, GET, GET)
    assert [number for number, _ in served.requests] == [0, 1]


def test_a_head_and_its_body_leave_in_one_piece(run: Run) -> None:
    with serving((OK,)) as served:
        run(served.path, Send("POST", "/v1/apps", body=b'{"name":"x"}'))
    (piece,) = served.pieces
    assert piece.startswith(b"POST /v1/apps HTTP/1.1\r\n")
    assert piece.endswith(b'\r\n\r\n{"name":"x"}')


def test_a_long_body_arrives_whole(run: Run) -> None:
    with serving((OK, OK)) as served:
        run(served.path, Send("POST", "/v1/apps", body=MUCH), GET)
    assert served.requests[0][1].endswith(b"\r\n\r\n" + MUCH)


def test_a_long_answer_arrives_whole(run: Run) -> None:
    long = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(MUCH) + MUCH
    with serving((long,)) as served:
        (answer,) = run(served.path, GET)
    assert answer.body == MUCH


def test_a_server_that_stays_silent_may_have_done_it(run: Run) -> None:
    with serving((b"",)) as served, pytest.raises(Unanswered) as caught:
        run(served.path, Send("GET", "/v1/apps", read_timeout_s=0.01))
    assert caught.value.lost.sent
    assert isinstance(caught.value.__cause__, httpcore2.ReadTimeout)


def test_an_answer_that_breaks_off_may_be_of_something_done(run: Run) -> None:
    with serving((OK[:-1],)) as served, pytest.raises(Unanswered) as caught:
        run(served.path, GET)
    assert caught.value.lost.sent


def test_an_answer_may_be_read_block_by_block() -> None:
    with serving((OK, REFUSAL, OK[:-1])) as served:
        near = Near(served.path)
        with near.open(ADDRESS, GET) as answer:
            assert not isinstance(answer, Answer)
            assert b"".join(answer) == b"{}"
        with near.open(ADDRESS, GET) as answer:
            assert isinstance(answer, Answer)
            assert (answer.status, answer.body) == (413, b"{}")
        with pytest.raises(Unanswered), near.open(ADDRESS, GET) as answer:
            b"".join(cast("Iterator[bytes]", answer))
        near.close()
    assert [number for number, _ in served.requests] == [0, 0, 0]


def test_where_nobody_listens_nothing_was_done(run: Run) -> None:
    with pytest.raises(Unanswered) as caught:
        run("/nowhere/at/all", GET)
    assert not caught.value.lost.sent


def test_a_header_that_cannot_be_sent_was_not(run: Run) -> None:
    with serving(()) as served, pytest.raises(Unanswered) as caught:
        run(served.path, Send("GET", "/v1/apps", headers=(("x", "a\nb"),)))
    assert not caught.value.lost.sent


def test_the_base_url_says_the_host_and_how_paths_begin(run: Run) -> None:
    address = Address("http://[::1]:4280/far/ä%20", "http://127.0.0.1", authorization="")
    with serving((OK,), (OK,)) as served:
        run(served.path, GET, address=address)
        run(served.path, Send("GET", "/api", base="logs"), address=address)
    heads = [request for _, request in served.requests]
    assert heads[0].startswith(b"GET /far/%C3%A4%20/v1/apps HTTP/1.1\r\nhost: [::1]:4280\r\n")
    assert heads[1].startswith(b"GET /api HTTP/1.1\r\nhost: 127.0.0.1\r\n")


def test_closing_ends_what_is_waited_for() -> None:
    async def go(served: Served) -> None:
        near = AsyncNear(served.path)
        waiting = asyncio.create_task(near.ask(ADDRESS, GET))
        await asyncio.to_thread(served.arrived.acquire)
        await near.close()
        with pytest.raises(Unanswered):
            await waiting

    with serving((b"",)) as served:
        asyncio.run(go(served))


def test_a_request_that_is_cancelled_closes_its_connection() -> None:
    async def go(served: Served) -> None:
        near = AsyncNear(served.path)
        waiting = asyncio.create_task(near.ask(ADDRESS, GET))
        await asyncio.to_thread(served.arrived.acquire)
        waiting.cancel()
        await asyncio.to_thread(served.closed.acquire)
        await near.ask(ADDRESS, GET)
        await near.close()

    with serving((b"",), (OK,)) as served:
        asyncio.run(go(served))


def test_a_server_that_reads_no_further_is_asked_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(httpcore2.MockStream):
        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            raise httpcore2.WriteError("broken pipe")

    class Refused(httpcore2.MockBackend):
        def connect_unix_socket(self, *_: object, **__: object) -> httpcore2.NetworkStream:
            return Refusing([REFUSAL])

    monkeypatch.setattr(httpcore2, "SyncBackend", lambda: Refused([]))
    for body in (b"{}", MUCH):
        assert Near("/api").ask(ADDRESS, Send("POST", "/v1/apps", body=body)).status == 413


def test_what_came_before_a_connection_broke_is_read_without_threads_too() -> None:
    async def go(path: str) -> None:
        stream: Any = await AsyncConnecting().connect_unix_socket(path)
        stream.data_received(REFUSAL)
        stream.connection_lost(BrokenPipeError("broken pipe"))
        await stream.write(MUCH)
        assert await stream.read(65536) == REFUSAL
        with pytest.raises(httpcore2.ReadError, match="broken pipe"):
            await stream.read(65536)
        await stream.aclose()

    with serving(()) as served:
        asyncio.run(go(served.path))
