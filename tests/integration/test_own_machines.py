"""The client's face for what only the embedded platform can do with machines."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera.client.own.machines import OwnMachines
from ephemera.client.own.terminals import Terminal
from ephemera.errors import Invalid, NoAnswer, NotFound, Unauthorized, Unreachable, WrongState
from ephemera.testing.machines_api import MOCK, AppUnderTest, Subject
from ephemera.testing.serving import Server, serving

DRIVER = "mock"


@pytest.fixture
def own(server: Server) -> Iterator[OwnMachines]:
    with OwnMachines(server.endpoint.url, server.token) as own:
        yield own


async def shown(terminal: Terminal) -> bytes:
    """Return all that a terminal shows until it ends."""
    seen = b""
    while piece := await terminal.read():
        seen += piece
    return seen


def test_a_terminal_is_typed_into_read_and_resized(own: OwnMachines, app: AppUnderTest) -> None:
    machine = app.running()

    async def session() -> tuple[bytes, int | None]:
        async with own.terminal(app.name, machine, ["sh"], rows=5, columns=7) as terminal:
            await terminal.write(b"stty size\n")
            await terminal.resize(50, 132)
            await terminal.write(b"stty size\nexit 3\n")
            return await shown(terminal), terminal.exit_code

    seen, code = asyncio.run(session())
    assert b"50 132\r\n" in seen.partition(b"5 7\r\n")[2]
    assert code == 3


def test_a_long_paste_goes_in_whole(own: OwnMachines, app: AppUnderTest) -> None:
    machine, pasted = app.running(), bytes(range(256)) * 20_000

    async def session() -> bytes:
        seen = b""
        async with own.terminal(app.name, machine, ["cat"]) as terminal:
            typing = asyncio.create_task(terminal.write(pasted))
            while len(seen) < len(pasted):
                seen += await terminal.read()
            await typing
        await terminal.write(b"to nobody")
        await terminal.close()
        return seen

    assert asyncio.run(session()) == pasted


def test_what_a_machine_left_is_looked_at_and_exported(own: OwnMachines, app: AppUnderTest) -> None:
    machine = app.created_and("stopped", ["write", "/report", "half"])
    assert own.locate(machine) == app.name
    had = own.remains(app.name, machine)
    assert (had.terminal, had.look, had.export) == (False, True, True)

    async def session() -> bytes:
        command = ["cat", "/report"]
        async with own.terminal(app.name, machine, command, look=True) as terminal:
            return await shown(terminal)

    assert asyncio.run(session()) == b"half\r\n"
    with own.export(app.name, machine) as blocks:
        packed = io.BytesIO(b"".join(blocks))
    with tarfile.open(fileobj=packed) as members:
        assert members.getnames() == ["report"]


def test_a_refusal_is_the_error_that_it_is_elsewhere(
    server: Server, own: OwnMachines, app: AppUnderTest
) -> None:
    async def session(own: OwnMachines, machine: str, command: str) -> None:
        async with own.terminal(app.name, machine, [command]):
            raise AssertionError("there is a terminal")

    machine, ended = app.running(), app.ended()
    with pytest.raises(Invalid, match="no-such-word"):
        asyncio.run(session(own, machine, "no-such-word"))
    with pytest.raises(WrongState, match="`look`"):
        asyncio.run(session(own, ended, "sh"))
    with pytest.raises(NotFound, match="machine not found"):
        asyncio.run(session(own, "00000000000000", "sh"))
    with OwnMachines(server.endpoint.url, "not-ours") as stranger:
        with pytest.raises(Unauthorized):
            asyncio.run(session(stranger, machine, "sh"))
        with pytest.raises(Unauthorized), stranger.export(app.name, ended):
            pass
    unlaunched = app.post("/machines", json={"config": app.config(["run"]), "skip_launch": True})
    app.reaches(unlaunched["id"], "stopped")
    with pytest.raises(WrongState, match="nothing is left"), own.export(app.name, unlaunched["id"]):
        pass


def test_nobody_listens(tmp_path: Path) -> None:
    async def session(own: OwnMachines) -> None:
        async with own.terminal("app", "machine", ["sh"]):
            raise AssertionError("there is a terminal")

    with OwnMachines("http://127.0.0.1:1", "token") as own:
        with pytest.raises(Unreachable, match="opening a terminal in machine 'machine'"):
            asyncio.run(session(own))
        with pytest.raises(Unreachable), own.export("app", "machine"):
            pass


def test_a_server_that_goes_away_breaks_the_terminal_off(tmp_path: Path) -> None:
    with serving(tmp_path / "home", driver="mock") as server:
        subject = Subject(server.endpoint.url, server.token, programs=MOCK)
        with subject.connect() as http, OwnMachines(subject.base_url, subject.token) as own:
            app = AppUnderTest(subject, http)
            http.post("/v1/apps", json={"app_name": app.name, "org_slug": "personal"})
            machine = app.running()

            async def session() -> None:
                async with own.terminal(app.name, machine, ["sh"]) as terminal:
                    assert await terminal.read() == b"$ "
                    server.kill()
                    await terminal.read()

            with pytest.raises(NoAnswer, match="the connection broke"):
                asyncio.run(session())
