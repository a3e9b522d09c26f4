"""App secrets: what they answer, and what a machine finds of them in its environment."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, answered, refused


def _digests(app: AppUnderTest) -> dict[str, str]:
    return {one["name"]: one["digest"] for one in app.get("/secrets")["secrets"]}


def _values(app: AppUnderTest) -> dict[str, str]:
    shown = app.get("/secrets", params={"show_secrets": "true"})["secrets"]
    return {one["name"]: one["value"] for one in shown}


def _write(app: AppUnderTest, **values: str | None) -> int:
    """Set and remove secrets; return the version that this made."""
    return _version(app.ask("POST", "/secrets", json={"values": values}))


def _version(answer: httpx2.Response) -> int:
    said = answered(answer).json()
    version = said.get("version") or said["Version"]
    assert said.get("Version", version) == version
    return int(version)


class SecretsContract(Contract):
    """The five calls on an app's secrets."""

    def test_a_new_app_has_none(self, app: AppUnderTest) -> None:
        assert app.get("/secrets")["secrets"] == []

    def test_several_are_set_at_once(self, app: AppUnderTest) -> None:
        answer = app.post("/secrets", json={"values": {"B": "two", "A": "one"}})
        assert {one["name"] for one in answer["secrets"]} == {"A", "B"}
        assert _values(app) == {"A": "one", "B": "two"}

    def test_one_is_set_by_its_name(self, app: AppUnderTest) -> None:
        answer = app.ask("POST", "/secrets/TOKEN", json={"value": "s3cret ü\n"})
        assert answer.status_code == 201
        assert answer.json()["name"] == "TOKEN"
        assert _values(app) == {"TOKEN": "s3cret ü\n"}

    def test_values_are_shown_only_where_they_are_asked_for(self, app: AppUnderTest) -> None:
        _write(app, HIDDEN="hidden-value")
        for path in ("/secrets", "/secrets?show_secrets=false", "/secrets/HIDDEN"):
            assert "hidden-value" not in answered(app.ask("GET", path)).text
        assert app.get("/secrets/HIDDEN?show_secrets=true")["value"] == "hidden-value"

    def test_one_is_read_by_its_name(self, app: AppUnderTest) -> None:
        _write(app, A="one", B="two")
        read = app.get("/secrets/B")
        assert read["name"] == "B"
        assert read["digest"] == _digests(app)["B"]
        assert read["created_at"] <= read["updated_at"]

    def test_the_digest_changes_with_the_value_and_tells_nothing_of_it(
        self, app: AppUnderTest
    ) -> None:
        _write(app, A="one", B="one")
        first = _digests(app)
        _write(app, A="two")
        second = _digests(app)
        assert first["A"] != second["A"]
        assert first["B"] == second["B"]
        assert all(len(digest) >= 8 and "one" not in digest for digest in first.values())

    def test_null_removes_and_the_rest_stays(self, app: AppUnderTest) -> None:
        _write(app, A="one", B="two")
        _write(app, A=None, C="three")
        assert _values(app) == {"B": "two", "C": "three"}

    def test_an_empty_value_is_a_value(self, app: AppUnderTest) -> None:
        answer = app.ask("POST", "/secrets", json={"values": {"EMPTY": ""}})
        if answer.is_success:
            assert _values(app) == {"EMPTY": ""}
        else:
            refused(answer, 400, 422)

    def test_a_removed_secret_is_gone(self, app: AppUnderTest) -> None:
        _write(app, A="one", B="two")
        before = _version(app.ask("POST", "/secrets/C", json={"value": "x"}))
        assert _version(app.ask("DELETE", "/secrets/A")) > before
        assert set(_digests(app)) == {"B", "C"}
        refused(app.ask("GET", "/secrets/A"), 404)

    def test_removing_what_is_not_there_changes_nothing(self, app: AppUnderTest) -> None:
        _write(app, A="one")
        answer = app.ask("DELETE", "/secrets/UNKNOWN")
        assert answer.is_success or refused(answer, 404)
        app.post("/secrets", json={"values": {"UNKNOWN": None}})
        assert _values(app) == {"A": "one"}

    def test_each_write_makes_a_higher_version(self, app: AppUnderTest) -> None:
        versions = [
            _write(app, A="one"),
            _write(app, A="one", B="two"),
            _version(app.ask("POST", "/secrets/C", json={"value": "three"})),
            _version(app.ask("DELETE", "/secrets/B")),
        ]
        assert versions == sorted(set(versions))

    def test_a_version_that_is_reached_may_be_insisted_on(self, app: AppUnderTest) -> None:
        version = _write(app, A="one")
        listed = app.get("/secrets", params={"min_version": version})
        assert [one["name"] for one in listed["secrets"]] == ["A"]
        assert app.get("/secrets/A", params={"min_version": version})["name"] == "A"

    def test_a_version_that_is_not_reached_is_refused(self, app: AppUnderTest) -> None:
        ahead = {"min_version": _write(app, A="one") + 1000}
        refused(app.ask("GET", "/secrets", params=ahead), 400, 404, 408, 412, 422)
        refused(app.ask("GET", "/secrets/A", params=ahead), 400, 404, 408, 412, 422)

    def test_another_app_sees_nothing_of_them(self, app: AppUnderTest) -> None:
        _write(app, A="one")
        with AppUnderTest.made(app.subject, app.http) as other:
            assert other.get("/secrets")["secrets"] == []
            refused(other.ask("GET", "/secrets/A"), 404)

    def test_a_new_app_of_the_same_name_has_none(self, app: AppUnderTest) -> None:
        _write(app, A="one")
        answered(app.ask("DELETE", "", params={"force": "true"}))
        again = {"app_name": app.name, "org_slug": app.subject.org}
        answered(app.http.post("/v1/apps", json=again))
        assert app.get("/secrets")["secrets"] == []

    @pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "A\n", "../A", "Ä", "A" * 256])
    def test_a_name_that_is_no_variable_is_refused(self, app: AppUnderTest, name: str) -> None:
        answer = app.ask("POST", "/secrets", json={"values": {name: "x", "GOOD": "y"}})
        refused(answer, 400, 422)
        assert app.get("/secrets")["secrets"] == []

    @pytest.mark.parametrize("value", ["a\0b", "x" * (64 * 1024 + 1)], ids=["nul", "long"])
    def test_a_value_that_no_variable_can_have_is_refused(
        self, app: AppUnderTest, value: str
    ) -> None:
        refused(app.ask("POST", "/secrets", json={"values": {"A": value}}), 400, 422)
        refused(app.ask("POST", "/secrets/A", json={"value": value}), 400, 422)
        assert app.get("/secrets")["secrets"] == []

    @pytest.mark.parametrize("body", [[], "A", {"values": ["A"]}, {"values": {"A": 1}}])
    def test_a_bulk_write_of_another_form_is_refused(self, app: AppUnderTest, body: Any) -> None:
        refused(app.ask("POST", "/secrets", json=body), 400, 422)

    @pytest.mark.parametrize("body", [[], {}, {"value": None}, {"value": 1}, {"value": ["x"]}])
    def test_a_single_write_of_another_form_is_refused(self, app: AppUnderTest, body: Any) -> None:
        refused(app.ask("POST", "/secrets/A", json=body), 400, 422)
        refused(app.ask("GET", "/secrets/A"), 404)

    @pytest.mark.parametrize(
        "query", ["min_version=x", "min_version=-1", "min_version=1.5", "show_secrets=perhaps"]
    )
    def test_a_query_of_nonsense_is_refused(self, app: AppUnderTest, query: str) -> None:
        refused(app.ask("GET", f"/secrets?{query}"), 400)

    def test_the_secrets_of_no_app_are_not_found(self, app: AppUnderTest) -> None:
        nowhere = "/v1/apps/no-such-app-at-all/secrets"
        refused(app.http.get(nowhere), 403, 404)
        refused(app.http.post(nowhere, json={"values": {"A": "x"}}), 403, 404)
        refused(app.http.delete(f"{nowhere}/A"), 403, 404)


class SecretsInMachinesContract(Contract):
    """What a program finds of its app's secrets. For machines that have a POSIX shell."""

    def _seen(self, app: AppUnderTest, machine: str) -> str:
        body = {"command": ["sh", "-c", 'echo "${SEEN-none}"']}
        return str(app.post(f"/machines/{machine}/exec", json=body)["stdout"]).strip()

    def _create(self, app: AppUnderTest, **request: Any) -> httpx2.Response:
        config = app.config(app.subject.programs.runs)
        return app.ask("POST", "/machines", json={"config": config, **request})

    def _started(self, app: AppUnderTest, **request: Any) -> str:
        machine = str(answered(self._create(app, **request)).json()["id"])
        app.reaches(machine, "started")
        return machine

    def test_it_finds_them_in_its_environment(self, app: AppUnderTest) -> None:
        _write(app, SEEN="in the environment")
        assert self._seen(app, self._started(app)) == "in the environment"

    def test_an_app_without_secrets_has_machines_without(self, app: AppUnderTest) -> None:
        assert self._seen(app, self._started(app)) == "none"

    def test_a_machine_may_do_without(self, app: AppUnderTest) -> None:
        _write(app, SEEN="first")
        assert self._seen(app, self._started(app, skip_secrets=True)) == "none"

    def test_a_machine_sees_a_new_value_after_an_update_only(self, app: AppUnderTest) -> None:
        _write(app, SEEN="first")
        machine = self._started(app)
        _write(app, SEEN="second", OTHER="x")
        answered(app.ask("POST", f"/machines/{machine}/restart"))
        app.reaches(machine, "started")
        assert self._seen(app, machine) in ("first", "second")
        config = app.get(f"/machines/{machine}")["config"]
        version = app.post(f"/machines/{machine}", json={"config": config})["instance_id"]
        query = {"state": "started", "version": version}
        answered(app.ask("GET", f"/machines/{machine}/wait", params=query))
        assert self._seen(app, machine) == "second"

    def test_a_version_that_is_reached_may_be_insisted_on(self, app: AppUnderTest) -> None:
        version = _write(app, SEEN="now")
        machine = self._started(app, min_secrets_version=version)
        assert self._seen(app, machine) == "now"

    def test_a_version_that_is_not_reached_is_refused_and_nothing_made(
        self, app: AppUnderTest
    ) -> None:
        ahead = _write(app, SEEN="now") + 1000
        refused(self._create(app, min_secrets_version=ahead), 400, 408, 412, 422)
        assert app.get("/machines") == []

    def test_no_answer_about_a_machine_tells_them(self, app: AppUnderTest) -> None:
        _write(app, SEEN="seen-by-nobody-else")
        machine = self._started(app)
        for path in ("", "/events", "/metadata"):
            told = answered(app.ask("GET", f"/machines/{machine}{path}")).text
            assert "seen-by-nobody-else" not in told
        assert "seen-by-nobody-else" not in answered(app.ask("GET", "/machines")).text
