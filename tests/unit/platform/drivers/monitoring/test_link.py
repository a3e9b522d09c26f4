from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ephemera.errors import Unsupported
from ephemera.platform.drivers.monitoring import frames
from ephemera.platform.drivers.monitoring.frames import Decoder, Message, encode
from ephemera.platform.drivers.monitoring.link import Link, connect
from ephemera.platform.drivers.monitoring.terminals import StreamLink


@asynccontextmanager
async def linked(path: Path, greeting: Message) -> AsyncIterator[Link]:
    """Link to a monitor that greets like this, and answers whatever it is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = Decoder()
        while data := await reader.read(4096):
            for message in decoder.feed(data):
                asked = "id" in message
                done: Message = {"say": "done", "id": message.get("id"), "processes": []}
                writer.write(encode(done if asked else greeting))
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    link = await connect(str(path), lambda: Link(lambda: None))
    assert link is not None
    try:
        await link.greet({"do": "attach"})
        yield link
    finally:
        link.close()
        server.close()


async def ask_for_processes(path: Path, greeting: Message) -> Message:
    async with linked(path, greeting) as link:
        return await link.ask({"do": "ps"})


def test_a_monitor_is_asked_what_it_says_that_it_knows(tmp_path: Path) -> None:
    answer = asyncio.run(ask_for_processes(tmp_path / "s", frames.started()))
    assert answer["processes"] == []


def test_a_monitor_of_the_first_version_is_not_asked_what_it_would_never_answer(
    tmp_path: Path,
) -> None:
    with pytest.raises(Unsupported, match="'ps' of a machine that an older version") as refused:
        asyncio.run(ask_for_processes(tmp_path / "s", {"say": "started"}))
    assert refused.value.hint == "restart the machine"


def test_a_monitor_that_has_others_to_accept_first_is_waited_for(tmp_path: Path) -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            listener.listen(0)
            path, make = str(tmp_path / "s"), lambda: Link(lambda: None)
            first, second = [asyncio.ensure_future(connect(path, make)) for _ in range(2)]
            assert await first is not None
            for _ in range(3):
                await asyncio.sleep(0)
            assert not second.done()
            for waiting in (first, second):
                ours, _ = await loop.run_in_executor(None, listener.accept)
                with ours:
                    link = await waiting
                    assert link is not None
                    ours.sendall(encode(frames.started()))
                    assert (await link.greeting())["say"] == "started"
                    link.close()

    asyncio.run(check())


def test_where_nobody_listens_there_is_no_link(tmp_path: Path) -> None:
    async def none_at(path: Path) -> bool:
        return await connect(str(path), lambda: Link(lambda: None)) is None

    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(tmp_path / "gone"))
    assert asyncio.run(none_at(tmp_path / "gone"))
    assert asyncio.run(none_at(tmp_path / "never"))


def test_what_a_monitor_said_last_is_heard_also_where_it_was_spoken_to_meanwhile() -> None:
    async def check() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        _, link = await loop.create_unix_connection(lambda: StreamLink(lambda: None), sock=ours)
        said: list[Message] = [
            frames.started(),
            {"say": "data", "id": 0, "data": "aGk="},
            {"say": "done", "id": 0, "exit_code": 137},
            {"say": "exited", "exit": {"exit_code": 3}},
        ]
        theirs.sendall(b"".join(map(encode, said)))
        theirs.close()
        link.send({"do": "type", "id": 0, "data": ""})
        assert (await link.greeting())["say"] == "started"
        assert (await link.read(), await link.read()) == (b"hi", b"")
        done, ended = await link.done, await link.ended
        assert done is not None
        assert ended is not None
        assert (done["exit_code"], ended.exit_code) == (137, 3)

    asyncio.run(check())
