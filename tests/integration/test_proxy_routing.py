"""Requests find their machines: starts, stops, limits and refusals, over real sockets.

What machines run is played; where they listen is a real socket of the test's own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.drivers.base import ProcessStat, Socket
from ephemera.platform.edge.certificates import UploadCertificate
from ephemera.platform.logs import Wanted
from ephemera.platform.machines.creation import Wish
from ephemera.platform.machines.owner import Owner
from ephemera.platform.proxy import arrival, dispatch, refusing
from ephemera.platform.proxy.idling import BUSY, IDLE_TIMEOUT
from ephemera.platform.proxy.routing import Asked, ProxyRefusal, Replay
from ephemera.platform.proxy.seats import Place
from ephemera.platform.states import State
from ephemera.testing.authority import Authority
from ephemera.wire.models import MachineConfig
from tests.ports import free_port
from tests.proxying import Play, playing, until
from tests.unit.platform.world import World, reach

HERE = "127.0.0.1"
WEB = Asked("demo.localhost", 80, tls=False)


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return playing(tmp_path)


class Program:
    """What listens for all machines of a test."""

    def __init__(self) -> None:
        self.port = free_port()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HERE, self.port)

    def stop(self) -> None:
        if self._server:
            self._server.close()

    async def _serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Program]:
    program = Program()
    await program.listen()
    try:
        yield program
    finally:
        program.stop()


def service(port: int, **more: Any) -> dict[str, Any]:
    ports = [{"port": 80, "handlers": ["http"]}]
    return {
        "internal_port": port,
        "autostart": True,
        "autostop": "stop",
        "ports": ports,
        "concurrency": {"type": "requests", "soft_limit": 1, "hard_limit": 2},
        **more,
    }


def web(world: World, port: int, *command: str, **more: Any) -> Owner:
    """Create a machine with a service, or with those that are given."""
    services = more.pop("services", None) or [service(port)]
    more.setdefault("restart", {"policy": "no"})
    return world.create(*(command or ("run",)), services=services, **more)


async def resting(world: World, port: int, *command: str, **more: Any) -> Owner:
    owner = web(world, port, *command, skip_launch=True, **more)
    await reach(owner, State.STOPPED)
    return owner


async def seat(world: World, asked: Asked = WEB) -> Place:
    return await world.platform.traffic.router.seat(asked)


async def refused(world: World, asked: Asked = WEB) -> ProxyRefusal:
    with pytest.raises(ProxyRefusal) as caught:
        await seat(world, asked)
    return caught.value


def said(world: World) -> list[str]:
    """Return what the proxy wrote into the app's log."""
    lines, _ = world.platform.logs.tail(world.app().id, Wanted())
    return [line.message for line in lines if line.provider == "proxy"]


def asked_by_proxy(owner: Owner) -> list[str]:
    """Return what of its events the proxy asked for, newest first."""
    return [event.type for event in owner.ledger.events() if event.source == "proxy"]


async def later(world: World, seconds: float) -> None:
    """Have time pass, and look for machines that have nothing to do."""
    await until(lambda: not world.platform.traffic.arrivals_under_way)
    world.now += seconds
    world.platform.traffic.stop_idle(world.app().id)


# starting


def test_a_machine_at_rest_is_started_once_for_all_who_ask(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            owner = await resting(
                world, program.port, services=[service(program.port, concurrency=None)]
            )
            seats = await asyncio.gather(*(seat(world) for _ in range(20)))
            assert {one.machine_id for one in seats} == {owner.record.id}
            assert owner.record.boot == 1
            assert seats[0].addresses[0] == (HERE, program.port)
            assert seats[0].holds()
            assert any(line.startswith("machine became reachable in ") for line in said(world))

    play(scene)


def test_a_request_is_held_until_the_program_listens(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            program.stop()
            owner = await resting(world, program.port)
            held = asyncio.create_task(seat(world))
            await reach(owner, State.STARTED)
            await asyncio.sleep(0.05)
            assert not held.done()
            await program.listen()
            assert (await held).machine_id == owner.record.id

    play(scene)


def test_a_machine_that_is_stopping_is_waited_for_and_started_again(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            owner = web(world, program.port, "ignore-term")
            (await seat(world)).release()
            owner.ask_stop(15, 60)
            assert owner.record.state is State.STOPPING
            held = asyncio.create_task(seat(world))
            await asyncio.sleep(0.02)
            assert owner.record.state is State.STOPPING
            owner.ask_stop(9, 0)
            assert (await held).holds()
            assert owner.record.boot == 2

    play(scene)


def test_a_machine_that_is_stopped_before_it_listens_stays_so_until_somebody_asks(
    play: Play,
) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            program.stop()
            owner = web(world, program.port)
            await reach(owner, State.STARTED)
            assert world.platform.traffic.arrivals_under_way
            owner.ask_stop(9, 0)
            await reach(owner, State.STOPPED)
            await until(lambda: not world.platform.traffic.arrivals_under_way)
            assert (owner.record.state, owner.record.boot) == (State.STOPPED, 1)
            assert said(world) == []
            await program.listen()
            assert (await seat(world)).holds()

    play(scene)


def test_a_machine_for_which_nobody_waits_any_more_stays_stopped(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            program.stop()
            owner = await resting(world, program.port)
            held = asyncio.create_task(seat(world))
            await reach(owner, State.STARTED)
            held.cancel()
            with suppress(asyncio.CancelledError):
                await held
            owner.ask_stop(9, 0)
            await until(lambda: not world.platform.traffic.arrivals_under_way)
            assert (owner.record.state, owner.record.boot) == (State.STOPPED, 1)

    play(scene)


def test_a_suspended_machine_goes_on(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            owner = web(world, program.port, services=[service(program.port, autostop="suspend")])
            (await seat(world)).release()
            await later(world, 301)
            await reach(owner, State.SUSPENDED)
            assert (await seat(world)).holds()
            assert owner.record.boot == 1
            assert asked_by_proxy(owner) == ["start", "suspend"]

    play(scene)


def test_a_machine_is_waited_for_until_its_checks_pass_also_in_their_grace(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as up, listening() as checked:
            checked.stop()
            check = {"type": "tcp", "port": checked.port, "interval": "1h", "grace_period": "1h"}
            owner = await resting(world, up.port, services=[service(up.port, checks=[check])])
            held = asyncio.create_task(seat(world))
            await reach(owner, State.STARTED)
            await asyncio.sleep(0.05)
            assert not held.done()
            await checked.listen()
            assert (await held).machine_id == owner.record.id

    play(scene)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("exit", "3"), "it exited with exit code 3"),
        (("oom",), "it was out of memory"),
        (("fail-boot", "no such program"), "no such program"),
    ],
)
def test_a_machine_that_does_not_stay_up_is_said_to_have_ended_and_how(
    play: Play, command: tuple[str, ...], why: str
) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            program.stop()
            owner = await resting(world, program.port, *command)
            error = await refused(world)
            assert (error.status, error.code) == (503, "PM07")
            assert error.machine_id == owner.record.id
            assert error.message == f"the machine did not stay up: {why}"

    play(scene)


def test_another_machine_is_started_where_one_cannot_be(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            await resting(world, program.port, "fail-boot", "broken")
            good = await resting(world, program.port)
            assert (await seat(world)).machine_id == good.record.id

    play(scene)


def test_where_a_program_listens_instead_is_said(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            program.stop()
            sockets = [Socket("tcp", f"127.0.0.1:{program.port}"), Socket("udp", "0.0.0.0:9")]

            async def ps(_: str) -> list[ProcessStat]:
                return [ProcessStat(1, "app", "/", 0, 0, 0, 0, sockets)]

            monkeypatch.setattr(world.driver, "ps", ps)
            monkeypatch.setattr(arrival, "_LOOK_AFTER_S", 0.0)
            await resting(world, program.port)
            error = await refused(world)
            assert (error.status, error.code) == (502, "PM05")
            assert error.message == (
                f"the app is not listening on 0.0.0.0:{program.port};"
                f" it listens on 127.0.0.1:{program.port}"
            )

    play(scene)


def test_a_program_that_never_listens_is_given_up(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            program.stop()
            owner = web(world, program.port)
            await reach(owner, State.STARTED)
            world.now += arrival.UP_WITHIN_S + 1
            error = await refused(world)
            assert error.message == f"the app is not listening on 0.0.0.0:{program.port}"
            await until(lambda: any("the app is not listening" in line for line in said(world)))

    play(scene)


def test_that_a_program_does_not_listen_is_said_early_and_what_came_of_it_once(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            program.stop()
            monkeypatch.setattr(arrival, "_LOOK_AFTER_S", 0.0)
            owner = web(world, program.port)
            await reach(owner, State.STARTED)
            waiting = [asyncio.ensure_future(refused(world)) for _ in range(2)]
            await until(lambda: said(world))
            assert [line.partition(" so far")[0] for line in said(world)] == [
                f"the app is not listening on 0.0.0.0:{program.port}"
            ]
            world.now += arrival.UP_WITHIN_S + 1
            for error in await asyncio.gather(*waiting):
                # As the engine does for each request.
                router, line = world.platform.traffic.router, refusing.logged(error)
                router.say(error.app_id, error.machine_id, "local", "error", line)
            assert len(said(world)) == 2
            assert said(world)[1].startswith("[PM05] the app is not listening on 0.0.0.0:")

    play(scene)


def test_a_request_is_not_held_for_longer_than_requests_are(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            program.stop()
            await resting(world, program.port)
            replay = Replay(prefer_instance="x", timeout_s=0.05, source_app_id=world.app().id)
            asked = replace(WEB, replay=replay)
            error = await refused(world, asked)
            assert (error.status, error.code) == (503, "PM03")

    play(scene)


def test_autostart_that_is_off_starts_nothing(play: Play) -> None:
    async def scene(world: World) -> None:
        off = [service(1, autostart=False)]
        owner = await resting(world, 1, services=off)
        error = await refused(world)
        assert (error.status, error.code) == (503, "PR01")
        assert error.message.endswith(": they are stopped")
        assert owner.record.state is State.STOPPED

    play(scene)


# where to


def test_cordoned_and_unhealthy_machines_get_nothing(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program, listening() as checked:
            check = {"type": "tcp", "port": checked.port, "interval": "1s"}
            ill = web(world, program.port, services=[service(program.port, checks=[check])])
            cordoned = web(world, program.port)
            (
                await seat(world, replace(WEB, wishes={"fly-force-instance-id": ill.record.id}))
            ).release()
            cordoned.ask_cordon(cordoned=True)
            assert (await seat(world)).machine_id == ill.record.id
            checked.stop()
            await until(lambda: ill.checks[0]["status"] == "critical")
            error = await refused(world)
            assert (error.status, error.code) == (503, "PR01")
            assert f"on port {checked.port} does not pass" in error.message

    play(scene)


def test_requests_are_spread_and_wait_where_all_are_busy(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            one, two = web(world, program.port), web(world, program.port)
            for owner in (one, two):
                await reach(owner, State.STARTED)
            await until(lambda: not world.platform.traffic.arrivals_under_way)
            seats = [await seat(world) for _ in range(4)]
            ids = [place.machine_id for place in seats]
            assert ids.count(one.record.id) == ids.count(two.record.id) == 2
            held = [asyncio.create_task(seat(world)) for _ in range(2)]
            await asyncio.sleep(0.02)
            assert not any(task.done() for task in held)
            held[0].cancel()
            seats[0].release()
            seats[0].release()
            assert (await held[1]).machine_id == seats[0].machine_id

    play(scene)


def test_who_waits_for_one_machine_is_not_in_the_way_of_who_takes_any(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            first, _ = web(world, program.port), web(world, program.port)
            await until(lambda: len(_ready(world)) == 2)
            held = [await seat(world) for _ in range(4)]
            picky = replace(WEB, wishes={"fly-force-instance-id": first.record.id})
            waiting = [asyncio.ensure_future(seat(world, one)) for one in (picky, WEB)]
            queues = world.platform.traffic._queues
            await until(lambda: queues.length(world.app().id) == 2)
            next(one for one in held if one.machine_id != first.record.id).release()
            await asyncio.wait_for(waiting[1], 30)
            assert not waiting[0].done()
            waiting[0].cancel()

    play(scene)


def test_more_than_may_wait_are_sent_away(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(world: World) -> None:
        monkeypatch.setattr(dispatch, "QUEUE_MAX", 1)
        async with listening() as program:
            web(world, program.port)
            assert [await seat(world) for _ in range(2)]
            held = asyncio.create_task(seat(world))
            await until(lambda: world.platform.traffic.router._queues.length(world.app().id) == 1)
            error = await refused(world)
            assert (error.status, error.code, error.retry_after_s) == (503, "PR03", 5)
            held.cancel()
            with suppress(asyncio.CancelledError):
                await held

    play(scene)


def test_a_machine_that_took_no_connection_is_passed_over_and_looked_for_anew(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            owner = web(world, program.port)
            gone = await seat(world)
            gone.release()
            program.stop()
            error = await refused(world, replace(WEB, avoid=frozenset({gone.machine_id})))
            assert (error.status, error.code, error.machine_id) == (502, "PM05", owner.record.id)
            held = asyncio.create_task(seat(world))
            await asyncio.sleep(0.02)
            assert not held.done()
            await program.listen()
            assert (await held).holds()

    play(scene)


@pytest.mark.parametrize(
    ("host", "port", "tls", "status"),
    [
        ("none.localhost", 80, False, 404),
        ("localhost", 80, False, 404),
        ("www.example.com", 80, False, 404),
        ("demo.localhost", 443, True, 404),
        ("demo.localhost", 80, True, 404),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    play: Play, host: str, port: int, tls: bool, status: int
) -> None:
    async def scene(world: World) -> None:
        await resting(world, 8080)
        with pytest.raises(ProxyRefusal) as caught:
            world.platform.traffic.router.entrance(host, port, tls=tls)
        assert caught.value.status == status
        assert host.removesuffix(".localhost") in caught.value.message

    play(scene)


def test_a_host_name_leads_to_the_app_that_has_it_until_it_is_taken_away(play: Play) -> None:
    async def scene(world: World) -> None:
        world.now = time.time()
        await resting(world, 8080)
        router, certificates = world.platform.traffic.router, world.platform.certificates
        name = "*.example.com"
        given = UploadCertificate(hostname=name, **Authority().issue(name))
        with pytest.raises(ProxyRefusal, match=r"no app has the host name 'www\.example\.com'"):
            router.entrance("www.example.com", 80, tls=False)
        await certificates.upload(world.app(), given)
        assert router.entrance("www.example.com", 80, tls=False).app_id == world.app().id
        certificates.remove(world.app(), name)
        for host in ("www.example.com", "a.b.example.com", "example.com", "-", "", "[::1]"):
            with pytest.raises(ProxyRefusal):
                router.entrance(host, 80, tls=False)

    play(scene)


@pytest.mark.parametrize("suffix", [".flycast", ".localhost"])
def test_a_machine_of_another_organisation_is_not_told_of_an_app(
    play: Play, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    async def scene(world: World) -> None:
        await resting(world, 8080)
        router, looked = world.platform.traffic.router, [""] * 0

        def reaches(client: str, _: object) -> bool:
            looked.append(client)
            return False

        monkeypatch.setattr(router._targets, "_reaches", reaches)

        async def answers(name: str) -> list[tuple[str, ...]]:
            """Return all that a machine is answered, and what was looked up for it."""
            host = f"{name}{suffix}"
            error = await refused(world, replace(WEB, host=host, client="fdaa::1"))
            with pytest.raises(ProxyRefusal) as caught:
                router.entrance(host, 80, tls=False, client="fdaa::1")
            found = [
                (str(one.status), one.code, one.app_id, one.hint, one.message.replace(name, "*"))
                for one in (error, caught.value)
            ]
            return [*found, tuple(looked[-2:])]

        assert await answers("demo") == await answers("none")
        assert looked == ["fdaa::1"] * 4

    play(scene)


def test_an_app_without_machines_says_so(play: Play) -> None:
    async def scene(world: World) -> None:
        world.app()
        with pytest.raises(ProxyRefusal, match="no machine with a service") as caught:
            world.platform.traffic.router.entrance("demo.localhost", 80, tls=False)
        assert caught.value.status == 503

    play(scene)


# replays


def test_a_replay_goes_where_the_app_says_within_its_organisation(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            one, two = web(world, program.port), web(world, program.port)
            source = one.record.id

            def replayed(**more: Any) -> Asked:
                whole = {"source_app_id": one.record.app_id, "source_machine": source, **more}
                return replace(WEB, replay=Replay(**whole))

            assert (await seat(world, replayed(elsewhere=True))).machine_id == two.record.id
            assert (await seat(world, replayed(instance=source))).machine_id == source
            error = await refused(world, replayed(instance="gone"))
            assert (error.status, error.code) == (404, "PR02")
            back = await seat(world, replayed(instance="gone", fallback="force_self"))
            assert back.machine_id == source
            [(name, value)] = back.headers
            assert name == "fly-replay-failed"
            assert "instance=gone" in value
            assert "reason=no_candidate" in value
            world.platform.apps.create("other", "elsewhere", "")
            told = []
            for app in ("other", "none"):  # nobody is told which there are elsewhere
                error = await refused(world, replayed(app=app, fallback="prefer_self"))
                assert (error.status, error.code) == (502, "PA04")
                told.append(error.message.replace(app, "*"))
            assert told[0] == told[1]

    play(scene)


def test_an_app_that_was_replayed_to_may_replay_to_its_own_machines(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            web(world, program.port)
            other = world.platform.apps.create("other", "personal", "")
            init = {"exec": ["run"]}
            config = {"image": "host", "init": init, "services": [service(program.port)]}
            theirs, _ = world.platform.creation.create(
                other, MachineConfig.model_validate(config), Wish(lease_owner="me")
            )
            replay = Replay(instance=theirs.record.id, source_app_id=other.id)
            assert (await seat(world, replace(WEB, replay=replay))).machine_id == theirs.record.id

    play(scene)


def test_a_replay_does_not_lead_a_machine_out_of_its_closed_network(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            own = web(world, program.port)
            other = world.platform.apps.create("other", "personal", "")
            targets = world.platform.traffic.router._targets
            monkeypatch.setattr(targets, "_reaches", lambda _, app: app.id != other.id)
            replay = Replay(app="other", source_app_id=own.record.app_id)
            error = await refused(world, replace(WEB, client="fdaa::1", replay=replay))
            assert (error.status, error.code) == (502, "PA04")

    play(scene)


# stopping


def test_a_machine_is_stopped_when_it_has_had_nothing_to_do_for_long(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            owner = web(world, program.port)
            held = await seat(world)
            await later(world, 1000)
            assert owner.record.state is State.STARTED
            held.release()
            await later(world, 299)
            assert owner.record.state is State.STARTED
            await later(world, 2)
            await reach(owner, State.STOPPED)
            assert said(world)[-1] == (
                f"App demo has excess capacity, autostopping machine {owner.record.id}. 0 out of 1"
                " machines left running (region=local, process group=app)"
            )
            assert (await seat(world)).holds()
            assert asked_by_proxy(owner) == ["start", "stop"]

    play(scene)


def test_a_busy_machine_is_not_stopped_and_is_idle_from_when_it_is_done(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            owner = web(world, program.port, metadata={BUSY: "3 jobs", IDLE_TIMEOUT: "1m"})
            (await seat(world)).release()
            await later(world, 1000)
            owner.put_metadata({IDLE_TIMEOUT: "1m"})
            await later(world, 59)
            assert owner.record.state is State.STARTED
            await later(world, 2)
            await reach(owner, State.STOPPED)

    play(scene)


def test_a_request_that_comes_in_the_moment_of_a_stop_is_answered(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            owner = web(world, program.port)
            (await seat(world)).release()
            await later(world, 301)
            assert owner.record.state is State.STOPPING
            assert (await seat(world)).holds()
            assert owner.record.boot == 2

    play(scene)


def test_no_request_fails_however_often_machines_are_stopped(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            for autostop in ("stop", "suspend"):
                web(world, program.port, services=[service(program.port, autostop=autostop)])
            stopper = asyncio.create_task(_stop_all_the_time(world))
            await asyncio.gather(*(_ask_often(world, 10) for _ in range(5)))
            owners = world.platform.machines.owners(world.app())
            while sum(owner.record.boot for owner in owners) <= 2:  # until one was stopped indeed
                await _ask_often(world, 1)
            stopper.cancel()

    play(scene)


async def _stop_all_the_time(world: World) -> None:
    while True:
        world.now += 1000
        world.platform.traffic.stop_idle(world.app().id)
        await asyncio.sleep(0.002)


async def _ask_often(world: World, times: int) -> None:
    for number in range(times):
        place = await seat(world)
        await asyncio.sleep(0.001 * (number % 3))
        assert place.holds()
        place.release()
        await asyncio.sleep(0.002 * (number % 5))


def test_a_leased_machine_is_left_alone(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            owner = web(world, program.port)
            (await seat(world)).release()
            world.platform.leases.acquire(
                owner.record, ttl=3600, description="", owner="me", nonce=""
            )
            await later(world, 301)
            assert owner.record.state is State.STARTED

    play(scene)


def test_a_seat_does_not_hold_once_its_machine_has_another_version_or_is_gone(play: Play) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            owner = web(world, program.port)
            first = await seat(world)
            owner.ask_update(owner.record.config, skip_launch=False)
            assert not first.holds()
            second = await seat(world)
            assert second.holds()
            assert not first.holds()
            owner.ask_destroy(force=True)
            assert not second.holds()
            await until(lambda: owner.record.state is State.DESTROYED)
            first.release()
            second.release()
            assert (await refused(world)).code == "PR01"

    play(scene)


def test_a_server_that_starts_again_knows_nothing_of_load_and_finds_machines_as_they_are(
    play: Play,
) -> None:
    async def scene(world: World) -> None:
        async with listening() as program:
            owner = web(world, program.port)
            assert [await seat(world) for _ in range(2)]
            await world.reopen()
            assert (await seat(world)).machine_id == owner.record.id
            assert world.again(owner).record.boot == 1

    play(scene)


def _ready(world: World) -> list[tuple[str, int]]:
    """Return what is known to listen: machines and ports."""
    return list(world.platform.traffic._arrivals._seen)
