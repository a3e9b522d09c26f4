"""The resolver over real sockets of this computer's loopback, in the place of the router's."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest
import uvloop
from dns.message import Message, QueryMessage

from ephemera.platform.network import resolver as resolver_module
from ephemera.platform.network import upstream
from ephemera.platform.network.resolver import Resolver
from tests.unit.platform.network.test_names import HERE, Shelf, machine

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def bound_twice() -> tuple[int, dict[socket.SocketKind, socket.socket]]:
    """Return a port of loopback, and the sockets that hold it for datagrams and for streams.

    A port that is free for one kind may be taken for the other, by whoever else runs here.
    """
    while True:
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        port = int(datagrams.getsockname()[1])
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            stream.bind(("127.0.0.1", port))
        except OSError:
            stream.close()
            datagrams.close()
        else:
            return port, {socket.SOCK_DGRAM: datagrams, socket.SOCK_STREAM: stream}


class OnLoopback:
    """What the resolver needs of a router; everybody is in one network, or in none."""

    def __init__(self) -> None:
        self.network = HERE
        self.closed = False
        self.services = ["127.0.0.1"]
        self.port, self._bound = bound_twice()

    def listen(self, host: str, port: int, kind: socket.SocketKind) -> socket.socket:
        sock = self._bound.pop(kind)
        if kind == socket.SOCK_STREAM:
            sock.listen()
        sock.setblocking(False)
        return sock

    def network_of(self, address: str) -> str:
        return self.network

    def is_closed(self, network: str) -> bool:
        return self.closed


class Scene:
    """A resolver that answers, and one who asks."""

    def __init__(self) -> None:
        self.router = OnLoopback()
        self.shelf = Shelf()
        self.resolver = Resolver(self.router, self.shelf)

    async def send(self, data: bytes, timeout: float = 30.0) -> bytes | None:
        """Return the answer to a datagram; None where there is none."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", self.router.port))
            await loop.sock_sendall(sock, data)
            try:
                async with asyncio.timeout(timeout):
                    return await loop.sock_recv(sock, 65535)
            except TimeoutError:
                return None

    async def send_tcp(self, data: bytes) -> bytes:
        """Return the answer over a connection; empty where it is closed without one."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.router.port)
        try:
            writer.write(len(data).to_bytes(2, "big") + data)
            size = int.from_bytes(await reader.readexactly(2), "big")
            return await reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        finally:
            writer.close()

    async def ask(self, name: str, kind: str = "AAAA", *, tcp: bool = False) -> Message:
        query = dns.message.make_query(name, kind)
        data = query.to_wire()
        answer = await (self.send_tcp(data) if tcp else self.send(data))
        assert answer, f"no answer for {name}"
        message = dns.message.from_wire(answer)
        assert query.is_response(message)
        return message


@asynccontextmanager
async def opened() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.resolver.open()
    try:
        yield scene
    finally:
        await scene.resolver.close()


Play = Callable[[Callable[[Scene], Awaitable[None]]], None]


@pytest.fixture(params=list(LOOPS))
def play(request: pytest.FixtureRequest) -> Play:
    """Play a scene on either loop: the server has uvloop."""

    def run(act: Callable[[Scene], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with opened() as scene:
                await act(scene)

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(whole())

    return run


def texts(message: Message) -> list[str]:
    return [record.to_text() for found in message.answer for record in found]


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Have this computer's names answered by whom a test says."""

    def use(*addresses: str, port: int = 9) -> None:
        file = tmp_path / "resolv.conf"
        file.write_text(
            "search example.org\n" + "".join(f"nameserver {one}\n" for one in addresses)
        )
        monkeypatch.setattr(upstream, "RESOLV_CONF", file)
        monkeypatch.setattr(upstream, "PORT", port)

    use()
    return use


def test_a_name_is_answered_over_both_ways(play: Play) -> None:
    async def act(scene: Scene) -> None:
        for tcp in (False, True):
            answer = await scene.ask("Top1.nearest.of.WEB.internal.", tcp=tcp)
            assert texts(answer) == ["fdaa:1:2:a7b::1"]
            assert answer.answer[0].ttl == 5
            assert answer.flags & dns.flags.AA
            assert answer.flags & dns.flags.RA

    play(act)


def test_a_text_longer_than_a_string_comes_in_several(play: Play) -> None:
    async def act(scene: Scene) -> None:
        known = {HERE: {"web": [machine(number) for number in range(30)]}}
        scene.shelf.known = known
        answer = await scene.ask("vms.web.internal", "TXT", tcp=True)
        [record] = answer.answer[0]
        assert len(record.strings) > 1
        said = b"".join(record.strings).decode()
        assert said == ",".join(f"id{number} ams" for number in range(30))

    play(act)


def test_a_name_without_records_of_a_type_is_told_from_no_name(play: Play) -> None:
    async def act(scene: Scene) -> None:
        for name, kind, code in (
            ("web.internal", "A", dns.rcode.NOERROR),
            ("web.internal", "MX", dns.rcode.NOERROR),
            ("idle.internal", "AAAA", dns.rcode.NOERROR),
            ("_apps.internal", "AAAA", dns.rcode.NOERROR),
            ("none.internal", "AAAA", dns.rcode.NXDOMAIN),
            ("none.flycast", "AAAA", dns.rcode.NXDOMAIN),
            ("1.0.2.0.a.a.d.f.ip6.arpa", "PTR", dns.rcode.NXDOMAIN),
        ):
            answer = await scene.ask(name, kind)
            assert (answer.rcode(), answer.answer) == (code, []), name

    play(act)


def test_what_is_too_long_for_a_datagram_is_asked_again_over_a_connection(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.shelf.known = {HERE: {"web": [machine(number) for number in range(1, 200)]}}
        short = await scene.ask("web.internal")
        assert short.flags & dns.flags.TC
        whole = await scene.ask("web.internal", tcp=True)
        assert not whole.flags & dns.flags.TC
        assert len(texts(whole)) == 199

    play(act)


def test_nobody_is_sent_more_than_he_can_take(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.shelf.known = {HERE: {"web": [machine(number) for number in range(1, 30)]}}
        for payload, room in ((None, 512), (600, 600), (4096, 1232)):
            query = dns.message.make_query("web.internal", "AAAA", payload=payload)
            if payload is None:
                query.use_edns(False)
            answer = await scene.send(query.to_wire())
            assert answer
            assert len(answer) <= room
            truncated = bool(
                dns.message.from_wire(answer, ignore_trailing=True).flags & dns.flags.TC
            )
            assert truncated is (payload != 4096)

    play(act)


def test_what_cannot_be_read_is_not_answered_and_the_next_question_is(play: Play) -> None:
    async def act(scene: Scene) -> None:
        dice = random.Random(7)
        whole = dns.message.make_query("web.internal", "AAAA").to_wire()
        response = bytearray(whole)
        response[2] |= 0x80
        broken = [b"", b"\0", os.urandom(40), bytes(response), b"x" * 2000]
        for _ in range(300):
            changed = bytearray(whole)
            for _ in range(dice.randint(1, 6)):
                changed[dice.randrange(len(changed))] = dice.randrange(256)
            broken.append(bytes(changed[: dice.randint(0, len(changed))]))
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", scene.router.port))
            for one in broken:
                await loop.sock_sendall(sock, one)
        assert await scene.send(bytes(response), timeout=0.1) is None
        assert await scene.send_tcp(b"nonsense") == b""
        assert texts(await scene.ask("id1.vm.web.internal")) == ["fdaa:1:2:a7b::1"]

    play(act)


def test_what_is_no_plain_question_is_refused(play: Play) -> None:
    async def act(scene: Scene) -> None:
        notify = dns.message.make_query("web.internal", "SOA")
        notify.set_opcode(dns.opcode.NOTIFY)
        chaos = dns.message.make_query("version.bind", "TXT", "CH")
        for query, code in ((notify, dns.rcode.NOTIMP), (chaos, dns.rcode.REFUSED)):
            answer = await scene.send(query.to_wire())
            assert answer
            assert dns.message.from_wire(answer).rcode() is code
        empty = QueryMessage()
        answer = await scene.send(empty.to_wire())
        assert answer
        assert dns.message.from_wire(answer).rcode() is dns.rcode.FORMERR

    play(act)


def test_somebody_of_no_network_is_refused(play: Play) -> None:
    async def act(scene: Scene) -> None:
        scene.router.network = ""
        for name in ("web.internal", "example.org"):
            assert (await scene.ask(name)).rcode() is dns.rcode.REFUSED

    play(act)


def test_a_closed_network_hears_of_its_own_names_only(
    play: Play, others: Callable[..., None]
) -> None:
    async def act(scene: Scene) -> None:
        scene.router.closed = True
        assert (await scene.ask("example.org")).rcode() is dns.rcode.REFUSED
        assert texts(await scene.ask("id1.vm.web.internal")) == ["fdaa:1:2:a7b::1"]

    play(act)


class _Other(asyncio.DatagramProtocol):
    """Answers every name with one address, after somebody else's answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        name = query.question[0].name
        answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.7"))
        wire = answer.to_wire()
        self.transport.sendto(bytes([wire[0] ^ 1]) + wire[1:], addr)
        self.transport.sendto(wire, addr)


def test_other_names_are_asked_of_whom_this_computer_asks(
    play: Play, others: Callable[..., None]
) -> None:
    async def act(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(_Other, local_addr=("127.0.0.1", 0))
        others("127.0.0.2", "127.0.0.1", port=transport.get_extra_info("sockname")[1])
        try:
            answer = await scene.ask("example.org", "A")
            assert texts(answer) == ["192.0.2.7"]
        finally:
            transport.close()

    play(act)


def test_where_nobody_knows_it_fails_and_says_so(play: Play, others: Callable[..., None]) -> None:
    async def act(scene: Scene) -> None:
        for addresses in ((), ("127.0.0.1",)):
            others(*addresses)
            for tcp in (False, True):
                assert (await scene.ask("example.org", tcp=tcp)).rcode() is dns.rcode.SERVFAIL

    play(act)


def test_who_asks_too_much_is_not_answered_for_a_while(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver_module, "PER_SECOND_MAX", 5)
    moment, take = 100.0, resolver_module._Share.take
    monkeypatch.setattr(resolver_module._Share, "take", lambda share, _: take(share, moment))

    async def act(scene: Scene) -> None:
        nonlocal moment
        query = dns.message.make_query("web.internal", "AAAA").to_wire()
        for _ in range(5):
            assert await scene.send(query)
        assert not await scene.send(query, timeout=0.1)
        moment += 0.25
        assert await scene.send(query)
        assert not await scene.send(query, timeout=0.1)

    play(act)


def test_a_network_has_so_many_connections_and_no_more(play: Play) -> None:
    async def act(scene: Scene) -> None:
        held = [await asyncio.open_connection("127.0.0.1", scene.router.port) for _ in range(32)]
        query = dns.message.make_query("web.internal", "AAAA").to_wire()
        assert await scene.send_tcp(query) == b""
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(30):
            while not await scene.send_tcp(query):  # noqa: ASYNC110 - there is no event of it
                await asyncio.sleep(0.01)

    play(act)
