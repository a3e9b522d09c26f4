"""Checks over real sockets: what they find of a program, and what becomes of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ephemera.platform.checks.asking import OUTPUT_BYTES_MAX, Asker, Finding
from ephemera.platform.configs import HealthCheck
from ephemera.platform.logs import Wanted
from ephemera.platform.machines.owner import Owner
from ephemera.platform.states import State
from tests.ports import free_port
from tests.unit.platform.world import World, play_in, reach

HERE = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n"
BAD = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbad\n"


class Program:
    """What listens on a port: answers every request with the same, and keeps what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # a check by connection says nothing
        finally:
            writer.close()


@asynccontextmanager
async def listening(
    answer: bytes = OK, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Program]:
    program = Program(answer)
    server = await asyncio.start_server(program.serve, HERE, 0, ssl=tls)
    program.port = server.sockets[0].getsockname()[1]
    try:
        yield program
    finally:
        server.close()


def check(port: int, **more: Any) -> HealthCheck:
    times = {"interval_s": 15.0, "timeout_s": 5.0, "grace_s": 0.0}
    return HealthCheck(**{"name": "c", "port": port, "is_http": True, **times, **more})


async def asked(one: HealthCheck) -> Finding:
    return await Asker().ask(one, [HERE])


def run(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scene())  # type: ignore[arg-type]  # it is an async function


def test_a_program_that_takes_connections_passes() -> None:
    async def scene() -> None:
        async with listening() as program:
            assert await asked(check(program.port, is_http=False)) == Finding(True, "connected")

    run(scene)


def test_a_port_that_nobody_listens_on_fails() -> None:
    async def scene() -> None:
        for is_http in (True, False):
            found = await asked(check(free_port(), is_http=is_http))
            assert not found.passing
            assert found.output

    run(scene)


def test_a_good_answer_passes_and_is_shown() -> None:
    async def scene() -> None:
        async with listening() as program:
            assert await asked(check(program.port)) == Finding(True, "200 OK\nfine\n")

    run(scene)


@pytest.mark.parametrize("status", [b"302 Found", b"404 Not Found", b"503 Service Unavailable"])
def test_any_other_answer_fails_and_is_shown(status: bytes) -> None:
    async def scene() -> None:
        answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\nLocation: /x\r\n\r\nno"
        async with listening(answer) as program:
            found = await asked(check(program.port))
            assert found == Finding(False, f"{status.decode()}\nno")
            assert len(program.requests) == 1

    run(scene)


def test_the_request_is_as_the_check_says() -> None:
    async def scene() -> None:
        async with listening() as program:
            headers = (("X-A", "1"), ("X-A", "2"))
            await asked(check(program.port, method="POST", path="/h?a=b", headers=headers))
            (request,) = program.requests
            assert request.startswith(b"POST /h?a=b HTTP/1.1\r\n")
            assert request.lower().count(b"x-a:") == 2

    run(scene)


def test_no_more_is_read_than_is_shown() -> None:
    async def scene() -> None:
        endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (OUTPUT_BYTES_MAX * 64)
        async with listening(endless) as program:
            found = await asked(check(program.port))
            assert found.passing
            assert len(found.output) <= OUTPUT_BYTES_MAX + len("200 OK\n")

    run(scene)


@pytest.mark.parametrize("said", [b"", b"not http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nConte"])
def test_what_is_not_http_fails(said: bytes) -> None:
    async def scene() -> None:
        async with listening(said) as program:
            assert not (await asked(check(program.port))).passing

    run(scene)


def test_a_program_that_never_answers_fails_in_time() -> None:
    async def scene() -> None:
        silent = await asyncio.start_server(lambda *_: asyncio.sleep(30), HERE, 0)
        port = silent.sockets[0].getsockname()[1]
        found = await asked(check(port, timeout_s=0.2))
        assert found == Finding(False, "no answer within 0.2 s")
        silent.close()

    run(scene)


def test_a_certificate_is_verified_unless_told_otherwise(tmp_path: Path) -> None:
    async def scene() -> None:
        async with listening(tls=_self_signed(tmp_path)) as program:
            secure = check(program.port, is_https=True, tls_server_name="example.com")
            found = await asked(secure)
            assert not found.passing
            assert "certificate" in found.output.lower()
            trusting = check(program.port, is_https=True, tls_skip_verify=True)
            assert (await asked(trusting)).passing

    run(scene)


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.com")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


# in machines


async def status_of(owner: Owner, wanted: str) -> dict[str, Any]:
    """Return the only check of a machine, once its status is the one wanted."""
    for _ in range(3000):
        (found,) = owner.checks
        if found["status"] == wanted:
            return found
        await asyncio.sleep(0.01)
    pytest.fail(f"{owner.checks}")


def _said(world: World) -> list[str]:
    lines, _ = world.platform.logs.tail(world.app().id, Wanted())
    return [line.message for line in lines if line.provider == "health"]


def test_a_check_follows_the_program_of_its_machine(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            checks = {"up": {"type": "http", "port": program.port, "interval": "1s"}}
            owner = world.create("run", checks=checks)
            assert [one["status"] for one in owner.checks] == ["critical"]
            await reach(owner, State.STARTED)
            found = await status_of(owner, "passing")
            assert (found["name"], found["output"]) == ("up", "200 OK\nfine\n")
            program.answer = BAD
            assert "503" in (await status_of(owner, "critical"))["output"]
            what = f"Health check 'up' on port {program.port}"
            assert _said(world) == [f"{what} is now passing.", f"{what} has failed."]

    play_in(tmp_path, scene)


def test_nothing_is_asked_of_a_machine_that_is_not_started(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            services = [{"internal_port": program.port, "checks": [{"type": "tcp"}]}]
            owner = world.create("run", services=services)
            await reach(owner, State.STARTED)
            await status_of(owner, "passing")
            owner.ask_stop(9, 1)
            await reach(owner, State.STOPPED)
            (found,) = owner.checks
            assert found["name"] == f"servicecheck-00-tcp-{program.port}"
            assert (found["status"], found["output"]) == ("critical", "the machine is stopped")

    play_in(tmp_path, scene)


def test_in_its_grace_a_check_may_pass_and_only_warns_as_long_as_it_does_not(
    tmp_path: Path,
) -> None:
    async def scene(world: World) -> None:
        async with listening(BAD) as program:
            check = {"type": "http", "port": program.port, "grace_period": "1h"}
            owner = world.create("run", checks={"up": check})
            await reach(owner, State.STARTED)
            while not program.requests:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.005)
            assert (await status_of(owner, "warning"))["name"] == "up"
            assert _said(world) == []
            program.answer = OK
            await status_of(owner, "passing")

    play_in(tmp_path, scene)


def test_a_server_that_starts_finds_out_again(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            checks = {"up": {"type": "tcp", "port": program.port}}
            owner = world.create("run", checks=checks)
            await reach(owner, State.STARTED)
            await status_of(owner, "passing")
            await world.reopen()
            await status_of(world.again(owner), "passing")

    play_in(tmp_path, scene)


def test_an_update_brings_other_checks(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            checks = {"up": {"type": "tcp", "port": program.port}}
            owner = world.create("run", checks=checks)
            await reach(owner, State.STARTED)
            config = owner.record.config
            owner.ask_update(config | {"checks": {"b": checks["up"]}}, skip_launch=False)
            await reach(owner, State.STARTED)
            assert (await status_of(owner, "passing"))["name"] == "b"
            owner.ask_update({**config, "checks": {}}, skip_launch=False)
            await reach(owner, State.STARTED)
            assert owner.checks == []

    play_in(tmp_path, scene)


def test_checks_that_only_an_older_version_accepted_check_nothing(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        owner = world.create("run")
        await reach(owner, State.STARTED)
        owner.ledger.write(config=owner.record.config | {"checks": {"a": {"type": "sniff"}}})
        assert owner.checks == []
        await world.reopen()
        assert world.again(owner).record.state is State.STARTED
        assert world.again(owner).checks == []

    play_in(tmp_path, scene)
