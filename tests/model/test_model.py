"""Several callers at once do with machines whatever comes to their minds.

What must hold: nothing is answered that is not one of the answers there are, no machine makes a
move that the table of states does not have, no event is lost, whoever has no nonce changes
nothing of a leased machine, one of several updates of the same version wins, and a name belongs
to one machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ClassVar

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ephemera.testing.clock import PlatformClock
from ephemera.testing.machines_api import MOCK, AppUnderTest, Subject
from ephemera.testing.serving import Server, serving
from tests.faults.mortality import FEW_ROUNDS
from tests.model.known import Known

#: How many lives are lived; EPHEMERA_CONFORMANCE_EXAMPLES=200 for a longer run.
_EXAMPLES = int(os.environ.get("EPHEMERA_CONFORMANCE_EXAMPLES", "0"))
_FEW = 8
_CALLERS = 4
#: So that a program which ignores its signal holds nobody up.
_SOON = {"timeout": "50ms"}
#: Longer than any lease that is taken here.
_TTL_S, _LATER_S = 3600, 3601

#: What callers ask of a machine: the request, and the statuses that may be answered to one whom
#: no lease forbids it.
_ASKS: dict[str, tuple[str, str, frozenset[int]]] = {
    "start": ("POST", "/start", frozenset({200, 412})),
    "stop": ("POST", "/stop", frozenset({200, 412})),
    "suspend": ("POST", "/suspend", frozenset({200, 412})),
    "restart": ("POST", "/restart", frozenset({200, 404, 412})),
    "cordon": ("POST", "/cordon", frozenset({200, 412})),
    "uncordon": ("POST", "/uncordon", frozenset({200, 412})),
    "destroy": ("DELETE", "", frozenset({200, 412})),
    "destroy by force": ("DELETE", "?force=true", frozenset({200})),
}
_PROGRAMS = st.sampled_from(
    [["run"], ["run"], ["exit", "0"], ["exit", "3"], ["ignore-term"], ["fail-boot"], ["lose"]]
)
_SHOWN = st.sampled_from(["nothing", "nothing", "the nonce", "another nonce"])
_CALLS = st.lists(st.tuples(st.sampled_from(sorted(_ASKS)), _SHOWN), min_size=1, max_size=_CALLERS)


class Callers(RuleBasedStateMachine):
    """Callers of one app. Made anew for each life, on one server."""

    server: ClassVar[Server]
    machines = Bundle("machines")

    def __init__(self) -> None:
        super().__init__()
        subject = Subject(self.server.endpoint.url, self.server.token, programs=MOCK)
        self._http = subject.connect()
        self._made = AppUnderTest.made(subject, self._http)
        self.app = self._made.__enter__()
        self._pool = ThreadPoolExecutor(_CALLERS)
        self.known: dict[str, Known] = {}

    def teardown(self) -> None:
        """Have every machine come to rest, and look at all of them once more."""
        try:
            for known in self.known.values():
                self._settle(known)
        finally:
            self._pool.shutdown()
            self._made.__exit__(None, None, None)
            self._http.close()

    # rules

    @rule(target=machines, program=_PROGRAMS, retries=st.sampled_from([0, 2]), launch=st.booleans())
    def create(self, program: list[str], retries: int, launch: bool) -> str:
        policy = {"policy": "on-failure", "max_retries": retries} if retries else {"policy": "no"}
        config = self.app.config(program, restart=policy, stop_config=_SOON)
        body = {"config": config, "skip_launch": not launch}
        return self._new(self.app.post("/machines", json=body)).id

    @rule(target=machines, callers=st.integers(2, _CALLERS))
    def create_with_one_name(self, callers: int) -> str:
        name = f"one-{len(self.known)}"
        body = {"name": name, "config": self.app.config(MOCK.runs)}
        answers = self._at_once([("POST", "/machines", {"json": body})] * callers)
        assert sorted(one.status_code for one in answers) == [200] + [409] * (callers - 1)
        return self._new(next(one for one in answers if one.is_success).json()).id

    @rule(machine=machines, calls=_CALLS)
    def ask(self, machine: str, calls: list[tuple[str, str]]) -> None:
        known = self.known[machine]
        before = (known.version, known.cordoned, known.asked_for())
        requests = [self._request(known, verb, shown) for verb, shown in calls]
        for (verb, shown), answer in zip(calls, self._at_once(requests), strict=True):
            self._check_answer(known, calls, verb, shown, answer)
        forbidden = known.nonce is not None and all(shown != "the nonce" for _, shown in calls)
        self._read(known)
        if forbidden:
            after = (known.version, known.cordoned, known.asked_for())
            assert after == before, "somebody without the nonce changed a leased machine"

    @rule(machine=machines, callers=st.integers(1, _CALLERS), skip_launch=st.booleans())
    def update(self, machine: str, callers: int, skip_launch: bool) -> None:
        known = self.known[machine]
        body = {
            "config": self.app.config(MOCK.runs),
            "current_version": known.version,
            "skip_launch": skip_launch,
        }
        headers = self._headers(known, "the nonce")
        request = ("POST", f"/machines/{machine}", {"json": body, "headers": headers})
        statuses = sorted(one.status_code for one in self._at_once([request] * callers))
        before = known.version
        self._read(known)
        won = statuses.count(200)
        assert set(statuses) <= {200, 404, 409, 412}, statuses
        assert won <= 1, "two updates of one version have won"
        assert (known.version != before) is (won == 1)

    @rule(machine=machines, callers=st.integers(1, _CALLERS))
    def lease(self, machine: str, callers: int) -> None:
        known = self.known[machine]
        request = ("POST", f"/machines/{machine}/lease", {"json": {"ttl": _TTL_S}})
        answers = self._at_once([request] * callers)
        taken = [one.json()["data"]["nonce"] for one in answers if one.status_code == 201]
        if not known.is_gone and known.state != "stopped":
            assert {one.status_code for one in answers} <= {201, 409}
            assert len(taken) == (known.nonce is None)
        known.nonce = known.nonce or (taken[0] if taken else None)

    @rule(machine=machines, right=st.booleans())
    def release(self, machine: str, right: bool) -> None:
        known = self.known[machine]
        headers = self._headers(known, "the nonce" if right else "another nonce")
        answer = self.app.ask("DELETE", f"/machines/{known.id}/lease", headers=headers)
        self._read(known)
        if known.is_gone:
            assert answer.status_code in (200, 400, 404)
        elif known.nonce is None:
            assert answer.status_code == 404
        else:
            assert answer.status_code == (200 if right else 400)
        if right or known.is_gone:
            known.nonce = None

    @rule(machine=machines, value=st.text("ab", min_size=1, max_size=3))
    def label(self, machine: str, value: str) -> None:
        known = self.known[machine]
        answer = self.app.ask("POST", f"/machines/{machine}/metadata/k", json={"value": value})
        assert answer.status_code in ((204, 404, 409, 412) if known.is_gone else (204,))
        if answer.status_code == 204:
            assert self.app.get(f"/machines/{machine}/metadata")["k"] == value
        self._read(known)

    @rule(machine=machines)
    def settle(self, machine: str) -> None:
        self._settle(self.known[machine])

    @rule()
    def time_passes(self) -> None:
        clock = PlatformClock(self.server.endpoint.url, self.server.token)
        clock.move(_LATER_S)
        clock.close()
        for known in self.known.values():
            known.nonce = None

    @invariant()
    def the_list_has_whoever_lives_and_no_name_twice(self) -> None:
        listed = self.app.get("/machines", params={"summary": "true"})
        names = [one["name"] for one in listed]
        assert len(set(names)) == len(names)
        ids = {one["id"] for one in listed}
        assert ids <= self.known.keys()
        assert {one.id for one in self.known.values() if one.state != "destroyed"} >= ids

    # how

    def _new(self, machine: dict[str, Any]) -> Known:
        known = Known(machine["id"], machine["name"], machine["instance_id"])
        self.known[known.id] = known
        self._read(known)
        return known

    def _request(self, known: Known, verb: str, shown: str) -> tuple[str, str, dict[str, Any]]:
        method, path, _ = _ASKS[verb]
        return method, f"/machines/{known.id}{path}", {"headers": self._headers(known, shown)}

    def _headers(self, known: Known, shown: str) -> dict[str, str]:
        nonce = {"the nonce": known.nonce, "another nonce": "0123456789ab"}.get(shown)
        return {"fly-machine-lease-nonce": nonce} if nonce else {}

    def _at_once(
        self, requests: Sequence[tuple[str, str, dict[str, Any]]]
    ) -> list[httpx2.Response]:
        asked = [self._pool.submit(self.app.ask, *one[:2], **one[2]) for one in requests]
        answers = [one.result() for one in asked]
        assert all(answer.status_code < 500 for answer in answers), [one.text for one in answers]
        return answers

    def _check_answer(
        self,
        known: Known,
        calls: Sequence[tuple[str, str]],
        verb: str,
        shown: str,
        answer: httpx2.Response,
    ) -> None:
        """Hold one answer to the lease and to what may be answered to what was asked."""
        # A machine that is gone, or goes meanwhile, has no lease any more.
        may_go = known.is_gone or any(one.startswith("destroy") for one, _ in calls)
        forbidden = known.nonce is not None and shown != "the nonce"
        allowed = _ASKS[verb][2]
        if forbidden and not may_go:
            assert answer.status_code == 409, f"{verb} with {shown}: {answer.text}"
        else:
            wanted = allowed | ({404, 409, 412} if may_go else frozenset())
            assert answer.status_code in wanted, f"{verb}: {answer.status_code} {answer.text}"

    def _read(self, known: Known) -> None:
        path = f"/machines/{known.id}"
        events = self.app.get(f"{path}/events", params={"limit": 50})
        known.read(self.app.get(path), events)
        if known.is_gone:
            known.nonce = None

    def _settle(self, known: Known) -> None:
        waited = self.app.ask("GET", f"/machines/{known.id}/wait?state=settled&timeout=20")
        assert waited.status_code in (200, 404), waited.text
        self._read(known)


class CallersOfAMortalServer(Callers):
    """The same, and the server is killed now and then."""

    #: The lead of a moved clock dies with the server.
    time_passes = None  # type: ignore[assignment]  # no rule any more

    @rule(machine=Callers.machines, calls=_CALLS)
    def killed_while_asked(self, machine: str, calls: list[tuple[str, str]]) -> None:
        """Whatever came of what was asked is a life that a machine can have."""
        known = self.known[machine]
        requests = [self._request(known, verb, shown) for verb, shown in calls]
        asked = [self._pool.submit(self._try, *one) for one in requests]
        self.server.kill()
        for one in asked:
            one.result()
        self.server.restart()
        for other in self.known.values():
            self._read(other)

    def _try(self, method: str, path: str, more: dict[str, Any]) -> None:
        with suppress(httpx2.TransportError):
            self.app.ask(method, path, **more)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("model"), driver="mock") as served:
        yield served


def _live(callers: type[RuleBasedStateMachine], lives: int, steps: int) -> None:
    run_state_machine_as_test(
        callers,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not _EXAMPLES,
            database=None,
            # What goes wrong only now and then cannot be made smaller by trying again.
            phases=(Phase.generate,),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


@pytest.mark.timeout(24 * 3600 if _EXAMPLES else 180)
def test_whatever_several_callers_do_the_platform_keeps_its_word(server: Server) -> None:
    served = type("Served", (Callers,), {"server": server})
    _live(served, _EXAMPLES or _FEW, 30)


@pytest.mark.faults
@pytest.mark.timeout(24 * 3600 if _EXAMPLES else 300)
def test_it_keeps_its_word_when_it_is_killed_meanwhile(server: Server) -> None:
    served = type("Served", (CallersOfAMortalServer,), {"server": server})
    _live(served, _EXAMPLES or (_FEW // 2 if FEW_ROUNDS else _FEW), 30)
