"""Leases: who holds one is the only one to move the machine until it expires."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, answered, refused

_NONCE = "fly-machine-lease-nonce"
#: Clocks of client and server may differ by this much.
_CLOCKS_S = 30


class LeasesContract(Contract):
    """The three calls on a machine's lease, and what a lease keeps others from."""

    @pytest.fixture
    def machine(self, app: AppUnderTest) -> str:
        """A machine that is stopped."""
        return app.ended()

    def _lease(self, app: AppUnderTest, machine: str, ttl: int = 60) -> dict[str, Any]:
        lease: dict[str, Any] = app.post(f"/machines/{machine}/lease", json={"ttl": ttl})["data"]
        return lease

    @pytest.mark.parametrize(
        "form",
        [
            {"json": {"ttl": 60, "description": "mine"}},
            {"params": {"ttl": "60"}},
            {"params": {"ttl": "60"}, "json": {}},
        ],
        ids=["documented", "fly-go", "both"],
    )
    def test_a_lease_is_taken_in_every_form_that_clients_send(
        self, app: AppUnderTest, machine: str, form: dict[str, Any]
    ) -> None:
        answer = answered(app.ask("POST", f"/machines/{machine}/lease", **form))
        body = answer.json()
        assert answer.status_code == 201
        assert body["status"] == "success"
        lease = body["data"]
        assert lease["nonce"]
        assert lease["owner"]
        assert lease["version"] == app.get(f"/machines/{machine}")["instance_id"]
        assert abs(lease["expires_at"] - time.time() - 60) < _CLOCKS_S, "seconds since 1970"

    def test_a_lease_is_shown_while_it_is_held(self, app: AppUnderTest, machine: str) -> None:
        refused(app.ask("GET", f"/machines/{machine}/lease"), 404)
        lease = self._lease(app, machine)
        shown = app.get(f"/machines/{machine}/lease")
        assert shown["status"] == "success"
        assert shown["data"]["expires_at"] == lease["expires_at"]

    def test_nobody_leases_what_is_destroyed(self, app: AppUnderTest, machine: str) -> None:
        app.ask("DELETE", f"/machines/{machine}")
        app.reaches(machine, "destroyed")
        refused(app.ask("POST", f"/machines/{machine}/lease", json={"ttl": 60}), 404, 412)

    def test_a_second_lease_is_refused_and_told_who_holds_the_first(
        self, app: AppUnderTest, machine: str
    ) -> None:
        owner = self._lease(app, machine)["owner"]
        answer = app.ask("POST", f"/machines/{machine}/lease", json={"ttl": 60})
        why = refused(answer, 409)
        assert f"machine ID {machine} lease currently held by {owner}, expires at" in why

    def test_the_holder_renews_and_keeps_the_nonce_valid(
        self, app: AppUnderTest, machine: str
    ) -> None:
        first = self._lease(app, machine, ttl=10)
        again = app.post(
            f"/machines/{machine}/lease", json={"ttl": 120}, headers={_NONCE: first["nonce"]}
        )["data"]
        assert again["expires_at"] > first["expires_at"]
        app.post(f"/machines/{machine}/start", headers={_NONCE: again["nonce"]})

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/start"),
            ("POST", "/stop"),
            ("POST", "/restart"),
            ("POST", ""),
            ("DELETE", "?force=true"),
        ],
    )
    @pytest.mark.parametrize("nonce", [None, "wrong"])
    def test_nobody_but_the_holder_moves_a_leased_machine(
        self, app: AppUnderTest, machine: str, method: str, path: str, nonce: str | None
    ) -> None:
        self._lease(app, machine)
        before = app.get(f"/machines/{machine}")
        body = {"config": app.config(app.subject.programs.runs)} if path == "" else None
        headers = {_NONCE: nonce} if nonce else {}
        answer = app.ask(method, f"/machines/{machine}{path}", json=body, headers=headers)
        assert f"machine ID {machine} lease currently held by" in refused(answer, 409)
        assert app.get(f"/machines/{machine}") == before

    def test_reading_and_waiting_need_no_lease(self, app: AppUnderTest, machine: str) -> None:
        self._lease(app, machine)
        assert app.state(machine) == "stopped"
        app.reaches(machine, "stopped")

    def test_a_released_lease_is_gone(self, app: AppUnderTest, machine: str) -> None:
        nonce = self._lease(app, machine)["nonce"]
        gone = answered(app.ask("DELETE", f"/machines/{machine}/lease", headers={_NONCE: nonce}))
        assert gone.json() == {"status": "success", "data": {"ok": True}}
        refused(app.ask("GET", f"/machines/{machine}/lease"), 404)
        assert self._lease(app, machine)["nonce"] != nonce

    @pytest.mark.parametrize("headers", [{}, {_NONCE: "wrong"}])
    def test_a_lease_is_not_released_by_others(
        self, app: AppUnderTest, machine: str, headers: dict[str, str]
    ) -> None:
        self._lease(app, machine)
        refused(app.ask("DELETE", f"/machines/{machine}/lease", headers=headers), 400, 404, 409)
        assert app.ask("GET", f"/machines/{machine}/lease").is_success

    def test_a_lease_that_nobody_renews_expires(self, app: AppUnderTest, machine: str) -> None:
        self._lease(app, machine, ttl=1)
        deadline = time.monotonic() + _CLOCKS_S
        # Nothing can be awaited here: an expiry is not an event.
        while app.ask("GET", f"/machines/{machine}/lease").is_success:
            assert time.monotonic() < deadline, "a lease of one second is still held"
            time.sleep(0.05)
        answered(app.ask("DELETE", f"/machines/{machine}"))

    @pytest.mark.parametrize("ttl", [-1, "soon", 1.5, [], 10**30])
    def test_a_length_of_time_that_is_none_is_refused(
        self, app: AppUnderTest, machine: str, ttl: Any
    ) -> None:
        refused(app.ask("POST", f"/machines/{machine}/lease", json={"ttl": ttl}), 400)
        refused(app.ask("GET", f"/machines/{machine}/lease"), 404)
