"""Ports that are not HTTP: bytes both ways, who connects, TLS, and what is not served."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.edge.addresses import AssignIp
from ephemera.platform.edge.certificates import UploadCertificate
from ephemera.platform.logs import Wanted
from ephemera.platform.machines.owner import Owner
from ephemera.platform.proxy.ports import ServedPort
from ephemera.platform.states import State
from ephemera.testing.authority import Authority
from tests.ports import free_port
from tests.proxying import Play, playing, until
from tests.unit.platform.world import World, reach

HERE = "127.0.0.1"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return playing(tmp_path)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer all that is said once the other one has said it all."""
    said = await reader.read()
    writer.write(said)
    await writer.drain()
    writer.close()


@asynccontextmanager
async def program(serve: Serve = echo) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, HERE, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def offering(world: World, internal_port: int, **port: Any) -> Owner:
    service = {
        "internal_port": internal_port,
        "autostart": True,
        "protocol": port.pop("protocol", "tcp"),
        "ports": [port],
    }
    return world.create("run", services=[service])


async def port_of(world: World, port: int) -> ServedPort:
    """Return a port of the app, once it is known whether it can be had."""
    async with asyncio.timeout(30):
        while True:
            for one in world.platform.traffic.ports(world.app().id):
                if one.port == port and one.problem != "not opened yet":
                    return one
            await asyncio.sleep(0.005)


async def told(world: World, port: int, said: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """Return what is answered at a port of the app."""
    found = await port_of(world, port)
    assert not found.problem
    host = found.address.rpartition(":")[0]
    name = "demo.localhost" if tls else None
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name)
    writer.write(said)
    if writer.can_write_eof():
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


def test_bytes_go_both_ways_and_a_machine_at_rest_is_started(play: Play) -> None:
    async def scene(world: World) -> None:
        async with program() as internal:
            port = free_port()
            owner = offering(world, internal, port=port)
            await reach(owner, State.STARTED)
            assert await told(world, port, b"hello") == b"hello"
            owner.ask_stop(9, 0)
            await reach(owner, State.STOPPED)
            assert await told(world, port, b"again") == b"again"
            assert owner.record.boot == 2

    play(scene)


def test_much_more_than_fits_into_any_buffer_goes_through(play: Play) -> None:
    async def scene(world: World) -> None:
        async def backwards(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while block := await reader.read(65536):
                writer.write(block)
                await writer.drain()
            writer.close()

        async with program(backwards) as internal:
            port = free_port()
            offering(world, internal, port=port)
            whole = bytes(range(256)) * 32768
            await port_of(world, port)
            reader, writer = await asyncio.open_connection(HERE, port)
            writer.write(whole)
            writer.write_eof()
            await asyncio.sleep(0.05)  # nobody reads: whoever sends has to wait
            assert await asyncio.wait_for(reader.read(), 30) == whole
            writer.close()

    play(scene)


@pytest.mark.parametrize(("version", "first"), [("v1", b"PROXY TCP4 "), ("v2", b"\r\n\r\n\0")])
def test_a_machine_is_told_who_connects_if_it_wants_to_know(
    play: Play,
    version: str,
    first: bytes,
) -> None:
    async def scene(world: World) -> None:
        async with program() as internal:
            port = free_port()
            options = {"handlers": ["proxy_proto"], "proxy_proto_options": {"version": version}}
            offering(world, internal, port=port, **options)
            answer = await told(world, port, b"hello")
            assert answer.startswith(first)
            assert answer.endswith(b"hello")

    play(scene)


def test_tls_ends_at_the_proxy_where_the_port_says_so(play: Play) -> None:
    async def scene(world: World) -> None:
        async with program(_greet) as internal:
            port = free_port()
            offering(world, internal, port=port, handlers=["tls"])
            trusting = ssl.create_default_context(
                cadata=world.platform.traffic.authority().decode()
            )
            assert await told(world, port, b"", trusting) == b"welcome"

    play(scene)


async def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"welcome")
    writer.close()


def test_a_connection_counts_as_load_until_it_ends(play: Play) -> None:
    async def scene(world: World) -> None:
        async with program() as internal:
            port = free_port()
            service = {
                "internal_port": internal,
                "autostop": "stop",
                "ports": [{"port": port}],
            }
            owner = world.create("run", services=[service])
            await port_of(world, port)
            reader, writer = await asyncio.open_connection(HERE, port)
            writer.write(b"x")
            await until(lambda: world.platform.traffic.load(owner.record.id) == 1)
            world.now += 1000
            world.platform.traffic.stop_idle(world.app().id)
            assert owner.record.state is State.STARTED
            writer.write_eof()
            assert await reader.read() == b"x"
            writer.close()
            await until(lambda: world.platform.traffic.load(owner.record.id) == 0)

    play(scene)


def test_whoever_cannot_be_served_is_hung_up_on_and_the_log_says_why(play: Play) -> None:
    async def scene(world: World) -> None:
        port = free_port()
        world.create(
            "exit",
            "4",
            restart={"policy": "no"},
            services=[{"internal_port": 9, "autostart": True, "ports": [{"port": port}]}],
        )
        await port_of(world, port)
        reader, writer = await asyncio.open_connection(HERE, port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 30)
        writer.close()
        assert any("did not stay up: it exited with exit code 4" in line for line in _said(world))

    play(scene)


def test_an_app_with_an_address_of_its_own_has_its_ports_there(play: Play) -> None:
    async def scene(world: World) -> None:
        async with program() as internal:
            port = free_port()
            offering(world, internal, port=port)
            assert (await port_of(world, port)).address == f"{HERE}:{port}"
            given = world.platform.addresses.assign(world.app(), AssignIp(type="v4"))
            world.platform.traffic.addresses_changed()
            own = f"{given.ip}:{port}"
            await until(lambda: world.platform.traffic.ports(world.app().id)[0].address == own)
            assert await told(world, port, b"mine") == b"mine"

    play(scene)


@pytest.mark.parametrize(
    ("port", "why"),
    [
        ({"protocol": "udp"}, "UDP is not served by this platform"),
        ({"handlers": ["pg_tls"]}, "the handler pg_tls is not served by this platform"),
    ],
)
def test_what_is_not_served_is_said_by_name(
    play: Play,
    port: dict[str, Any],
    why: str,
) -> None:
    async def scene(world: World) -> None:
        number = free_port()
        offering(world, 9, port=number, **port)
        found = await port_of(world, number)
        assert (found.address, found.problem) == ("", why)
        assert _said(world) == [f"port {number} is not served: {why}"]

    play(scene)


def test_a_port_that_somebody_else_has_is_said_to_be_taken(play: Play) -> None:
    async def scene(world: World) -> None:
        async with program() as taken:
            offering(world, 9, port=taken)
            found = await port_of(world, taken)
            assert found.problem == f"cannot listen on {HERE}:{taken}: address already in use"

    play(scene)


# certificates


def test_each_client_is_shown_the_certificate_of_the_name_it_asks_for(
    play: Play,
    tmp_path: Path,
) -> None:
    async def scene(world: World) -> None:
        world.app()
        elsewhere = Authority()
        world.now = time.time()
        issued = elsewhere.issue("shop.example.com", "*.example.com")
        for name in ("shop.example.com", "*.example.com"):
            given = UploadCertificate(hostname=name, **issued)
            await world.platform.certificates.upload(world.app(), given)
        traffic = world.platform.traffic
        server = await asyncio.start_server(_greet, HERE, 0, ssl=traffic.router.tls())
        port = server.sockets[0].getsockname()[1]
        ours = traffic.authority().decode()

        async def shown(name: str, trusted: str) -> list[str]:
            context = ssl.create_default_context(cadata=trusted)
            reader, writer = await asyncio.open_connection(
                HERE, port, ssl=context, server_hostname=name
            )
            assert await reader.read() == b"welcome"
            certificate = writer.get_extra_info("peercert")
            writer.close()
            return [value for kind, value in certificate["subjectAltName"] if kind == "DNS"]

        assert await shown("demo.localhost", ours) == ["demo.localhost"]
        assert await shown("demo.localhost", ours) == ["demo.localhost"]
        for name in ("shop.example.com", "www.example.com"):
            assert "*.example.com" in await shown(name, _root(issued["fullchain"]))
        assert await shown("localhost", ours) == ["localhost"]
        for name in ("none.localhost", "other.example.org"):
            with pytest.raises(ssl.SSLCertVerificationError):
                await shown(name, ours)
        server.close()
        key = tmp_path / "proxy" / "ca-key.pem"
        assert key.stat().st_mode & 0o777 == 0o600
        assert sorted(one.name for one in key.parent.iterdir()) == ["ca-key.pem", "ca.pem"]

    play(scene)


def _root(chain: str) -> str:
    mark = "-----BEGIN CERTIFICATE-----"
    return mark + chain.rpartition(mark)[2]


def _said(world: World) -> list[str]:
    lines, _ = world.platform.logs.tail(world.app().id, Wanted())
    return [line.message for line in lines if line.provider == "proxy"]
