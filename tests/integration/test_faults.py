"""A platform that tests make misbehave: each fault does what it says, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from ephemera import Client
from ephemera.errors import NoCapacity, RateLimited
from ephemera.platform.settings import Settings
from ephemera.testing.clock import PlatformClock
from ephemera.testing.faults import Faults
from ephemera.testing.machines_api import MOCK, AppUnderTest, answered, refused
from ephemera.testing.serving import Server, serving

DRIVER = "mock"


@pytest.fixture
def faults(server: Server) -> Iterator[Faults]:
    faults = Faults(server.endpoint.url, server.token)
    yield faults
    faults.clear()
    faults.close()


@pytest.fixture
def clock(server: Server) -> Iterator[PlatformClock]:
    clock = PlatformClock(server.endpoint.url, server.token)
    yield clock
    clock.close()


def _eventually(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestRequests:
    def test_a_preset_refuses_the_creation_of_machines(
        self, app: AppUnderTest, faults: Faults
    ) -> None:
        fault = faults.error("no_host", times=1)
        body = {"config": app.config(MOCK.runs)}
        answer = app.ask("POST", "/machines", json=body)
        assert refused(answer, 422) == "could not find a candidate host"
        assert answer.json()["status"] == "insufficient_capacity"
        assert fault.hits == 1
        assert app.get("/machines") == []
        assert app.ask("POST", "/machines", json=body).is_success

    def test_an_answer_of_ones_own_comes_as_it_was_ordered(
        self, app: AppUnderTest, faults: Faults
    ) -> None:
        faults.answer(418, {"error": "tea"}, {"x-pot": "short"}, app=app.name)
        answer = app.ask("GET", "")
        assert (answer.status_code, answer.json()) == (418, {"error": "tea"})
        assert answer.headers["x-pot"] == "short"

    def test_the_client_takes_a_preset_for_what_it_is(
        self, app: AppUnderTest, faults: Faults
    ) -> None:
        with Client(app.subject.base_url, app.subject.token) as client:
            with faults.error("volume_host_full", app=app.name), pytest.raises(NoCapacity):
                client.machines.create(app.name, config=app.config(MOCK.runs))
            limited = faults.answer(429, {"error": "slow"}, {"retry-after": "99"}, app=app.name)
            with limited, pytest.raises(RateLimited) as raised:
                client.machines.create(app.name, config=app.config(MOCK.runs))
        assert raised.value.retry_after_s == 99

    def test_a_lost_answer_is_applied_all_the_same(self, app: AppUnderTest, faults: Faults) -> None:
        with faults.lost_answer(method="POST", app=app.name) as fault:
            with pytest.raises(httpx2.TransportError):
                app.ask("POST", "/machines", json={"config": app.config(MOCK.runs)})
            assert fault.hits == 1
        assert len(app.get("/machines")) == 1

    def test_a_lost_answer_is_lost_where_the_request_is_refused_too(
        self, app: AppUnderTest, faults: Faults
    ) -> None:
        with faults.lost_answer(app=app.name), pytest.raises(httpx2.TransportError):
            app.ask("GET", "/machines/0")

    def test_the_client_makes_no_second_machine_for_a_lost_answer(
        self, app: AppUnderTest, faults: Faults
    ) -> None:
        path = "/v1/apps/{app_name}/machines"
        faults.lost_answer(method="POST", path=path, times=1)
        with Client(app.subject.base_url, app.subject.token) as client:
            made = client.machines.create(app.name, config=app.config(MOCK.runs), name="once")
        assert [one["id"] for one in app.get("/machines")] == [made.id]

    def test_a_dropped_request_is_not_applied(self, app: AppUnderTest, faults: Faults) -> None:
        with faults.dropped(method="POST", app=app.name), pytest.raises(httpx2.TransportError):
            app.ask("POST", "/machines", json={"config": app.config(MOCK.runs)})
        assert app.get("/machines") == []

    def test_a_delay_ends_when_the_clock_is_moved(
        self, app: AppUnderTest, faults: Faults, clock: PlatformClock
    ) -> None:
        fault = faults.delay(300, method="POST", app=app.name)
        hasty = httpx2.Timeout(30, read=0.2)
        body = {"config": app.config(MOCK.runs)}
        with pytest.raises(httpx2.ReadTimeout):
            app.ask("POST", "/machines", json=body, timeout=hasty)
        _eventually(lambda: fault.hits == 1)
        assert app.get("/machines") == []
        clock.move(300)
        _eventually(lambda: len(app.get("/machines")) == 1)

    def test_the_menu_itself_is_spared(self, faults: Faults) -> None:
        fault = faults.dropped()
        assert fault.hits == 0
        fault.remove()
        fault.remove()

    def test_a_refused_order_says_what_is_wrong_with_it(self, faults: Faults) -> None:
        with pytest.raises(ValueError, match="no_such"):
            faults.error("no_such")


class TestMachines:
    def test_an_image_that_cannot_be_pulled(self, app: AppUnderTest, faults: Faults) -> None:
        faults.no_image(app=app.name)
        machine = app.created_and("failed", MOCK.runs)
        failed = app.get(f"/machines/{machine}/events")[0]
        assert failed["request"]["code"] == "image_unavailable"

    def test_a_boot_that_fails_once(self, app: AppUnderTest, faults: Faults) -> None:
        faults.boot_failure("no kernel", app=app.name, times=1)
        machine = app.created_and("failed", MOCK.runs)
        failed = app.get(f"/machines/{machine}/events")[0]
        assert failed["request"]["error"] == "no kernel"
        app.post(f"/machines/{machine}/start")
        app.reaches(machine, "started")

    def test_a_lost_machine_ends_with_an_exit_that_nobody_saw(
        self, app: AppUnderTest, faults: Faults
    ) -> None:
        machine = app.running()
        faults.lose(app.name, machine)
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["exit_code"] == -1

    @pytest.mark.parametrize("state", ["created", "starting"])
    def test_a_new_machine_is_stuck_until_it_is_released(
        self, app: AppUnderTest, faults: Faults, state: str
    ) -> None:
        with faults.stuck(state, app=app.name) as fault:
            machine = str(app.create(MOCK.runs)["id"])
            waited = app.ask("GET", f"/machines/{machine}/wait", params={"timeout": 1})
            refused(waited, 408)
            assert app.state(machine) == state
            assert fault.hits == 1
        app.reaches(machine, "started")

    def test_a_machine_is_stuck_stopping(self, app: AppUnderTest, faults: Faults) -> None:
        machine = app.running()
        with faults.stuck("stopping", machine=machine):
            app.post(f"/machines/{machine}/stop")
            query = {"state": "stopped", "timeout": 1}
            refused(app.ask("GET", f"/machines/{machine}/wait", params=query), 408)
            assert app.state(machine) == "stopping"
        app.reaches(machine, "stopped")

    def test_a_machine_is_stuck_replacing(self, app: AppUnderTest, faults: Faults) -> None:
        machine = app.running()
        with faults.stuck("replacing", app=app.name):
            app.post(f"/machines/{machine}", json={"config": app.config(MOCK.runs)})
            assert app.state(machine) == "replacing"
        app.reaches(machine, "started")

    def test_what_a_caller_asks_for_moves_a_stuck_machine(
        self, app: AppUnderTest, faults: Faults
    ) -> None:
        with faults.stuck("starting", app=app.name):
            machine = str(app.create(MOCK.runs)["id"])
            answered(app.ask("DELETE", f"/machines/{machine}", params={"force": "true"}))
            app.reaches(machine, "destroyed")


class TestClock:
    def test_a_lease_runs_out_when_the_clock_is_moved(
        self, app: AppUnderTest, clock: PlatformClock
    ) -> None:
        machine = app.running()
        app.post(f"/machines/{machine}/lease", json={"ttl": 3600})
        refused(app.ask("POST", f"/machines/{machine}/stop"), 409)
        clock.move(3601)
        app.post(f"/machines/{machine}/stop")

    def test_a_program_that_ignores_its_stop_is_killed_at_once(
        self, app: AppUnderTest, clock: PlatformClock
    ) -> None:
        machine = app.created_and("started", MOCK.ignores_stop)
        app.post(f"/machines/{machine}/stop", json={"timeout": "300s"})
        clock.move(300)
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["signal"] == 9

    @pytest.mark.parametrize("seconds", [-1, "x", None, 1e300])
    def test_a_clock_cannot_be_moved_anywhere(
        self, server: Server, clock: PlatformClock, seconds: object
    ) -> None:
        before = clock.now()
        with httpx2.Client(
            base_url=server.endpoint.url, headers=server.headers, timeout=30
        ) as http:
            answer = http.post("/ephemera/testing/clock", json={"seconds": seconds})
        assert "seconds" in refused(answer, 400)
        assert clock.now() - before < 3600


class TestWithoutTesting:
    def test_there_is_nothing_of_it_on_a_server_that_is_not_for_tests(self, tmp_path: Path) -> None:
        with serving(tmp_path, driver="mock", settings=Settings()) as server:
            for path in ("faults", "clock"):
                url = f"{server.endpoint.url}/ephemera/testing/{path}"
                assert refused(httpx2.get(url, headers=server.headers, timeout=30), 404)

    def test_nobody_may_order_without_the_token(self, server: Server) -> None:
        body = {"effect": {"kind": "dropped"}}
        assert refused(
            httpx2.post(f"{server.endpoint.url}/ephemera/testing/faults", json=body, timeout=30),
            401,
        )
