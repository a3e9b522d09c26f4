"""Apps: made, read, listed, deleted, in the forms of the documentation and of three clients."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from ephemera.testing.machines_api.subject import (
    AppUnderTest,
    Contract,
    Subject,
    answered,
    refused,
)


def _fresh_name() -> str:
    return f"contract-{secrets.token_hex(6)}"


class AppsContract(Contract):
    """The five calls on apps."""

    @pytest.mark.parametrize(
        ("query", "name_key", "more"),
        [
            ("", "app_name", {}),
            ("", "name", {}),
            ("", "app_name", {"network": "apart"}),
            ("?wait=true", "name", {"network": "", "app_role_id": ""}),
        ],
        ids=["documented", "specified", "network", "fly-go"],
    )
    def test_an_app_is_created_in_every_form_that_clients_send(
        self, machines_api: Subject, query: str, name_key: str, more: dict[str, Any]
    ) -> None:
        name = _fresh_name()
        with machines_api.connect() as http:
            body = {name_key: name, "org_slug": machines_api.org, **more}
            created = http.post(f"/v1/apps{query}", json=body)
            assert created.status_code == 201, created.text
            assert created.json()["id"]
            answered(http.delete(f"/v1/apps/{name}"))

    def test_an_app_tells_its_name_status_and_organization(self, app: AppUnderTest) -> None:
        read = app.get("")
        assert read["name"] == app.name
        assert read["status"] in ("pending", "deployed", "suspended")
        assert read["organization"]["slug"] == app.subject.org
        assert read["id"]

    def test_an_app_has_a_number_and_a_network_that_stay_the_same(self, app: AppUnderTest) -> None:
        first, again = app.get(""), app.get("")
        assert first["internal_numeric_id"] == again["internal_numeric_id"] > 0
        assert first["network"] == again["network"]
        assert first.get("network_cidr", "fdaa:").startswith("fdaa:")

    def test_an_app_is_pending_until_it_has_a_machine(self, app: AppUnderTest) -> None:
        assert app.get("")["status"] == "pending"
        app.running()
        assert app.get("")["status"] == "deployed"

    def test_an_app_whose_machines_are_at_rest_is_not_pending_any_more(
        self, app: AppUnderTest
    ) -> None:
        app.ended()
        assert app.get("")["status"] in ("deployed", "suspended")

    def test_no_app_has_a_role_that_nobody_gave_it(self, app: AppUnderTest) -> None:
        query = {"org_slug": app.subject.org, "app_role": f"role-{secrets.token_hex(6)}"}
        assert answered(app.http.get("/v1/apps", params=query)).json()["apps"] in ([], None)

    def test_another_organisation_does_not_list_the_app(self, app: AppUnderTest) -> None:
        query = {"org_slug": f"other-{secrets.token_hex(6)}"}
        answer = app.http.get("/v1/apps", params=query)
        if answer.is_success:
            assert not answer.json()["apps"]
        else:
            refused(answer, 403, 404)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": 7},
            {"name": ["a"]},
            {"name": None, "app_name": None},
            {"org_slug": 7},
            {"org_slug": "../x"},
            {"org_slug": "a\u0000b"},
            {"org_slug": "x" * 1000},
            {"network": ["apart"]},
            {"network": "a\nb"},
            {"network": "x" * 1000},
            {"enable_subdomains": "yes"},
        ],
    )
    def test_an_app_that_is_asked_for_wrongly_is_not_made(
        self, machines_api: Subject, wrong: dict[str, Any]
    ) -> None:
        name = _fresh_name()
        with machines_api.connect() as http:
            body = {"name": name, "org_slug": machines_api.org, **wrong}
            refused(http.post("/v1/apps", json=body), 400, 403, 404, 422)
            refused(http.get(f"/v1/apps/{name}"), 404)

    def test_a_created_app_is_listed_with_how_many_machines_it_has(self, app: AppUnderTest) -> None:
        app.ended()
        listed = answered(app.http.get("/v1/apps", params={"org_slug": app.subject.org})).json()
        assert listed["total_apps"] >= len(listed["apps"]) > 0
        mine = [one for one in listed["apps"] if one["name"] == app.name]
        assert [one["machine_count"] for one in mine] == [1]

    def test_a_list_needs_the_organization(self, app: AppUnderTest) -> None:
        answer = app.http.get("/v1/apps")
        assert answer.is_success or refused(answer, 400)

    def test_a_name_that_is_taken_is_refused_by_its_code(self, app: AppUnderTest) -> None:
        body = {"app_name": app.name, "org_slug": app.subject.org}
        again = app.http.post("/v1/apps", json=body)
        assert refused(again, 422) == "Validation failed: Name has already been taken"
        assert again.json()["status"] == "name_taken"

    @pytest.mark.parametrize(
        "name", ["", "UPPER", "under_score", "dot.dot", "a b", "x" * 64, "ü", "../etc", "a\nb"]
    )
    def test_a_name_that_breaks_the_rules_is_refused(
        self, machines_api: Subject, name: str
    ) -> None:
        with machines_api.connect() as http:
            body = {"app_name": name, "org_slug": machines_api.org}
            refused(http.post("/v1/apps", json=body), 400, 422)

    def test_a_deleted_app_is_gone_and_its_name_is_free(self, app: AppUnderTest) -> None:
        deleted = app.ask("DELETE", "")
        assert deleted.status_code == 202
        refused(app.ask("GET", ""), 404)
        body = {"app_name": app.name, "org_slug": app.subject.org}
        assert app.http.post("/v1/apps", json=body).status_code == 201

    def test_a_new_app_of_an_old_name_has_nothing_of_the_old_one(self, app: AppUnderTest) -> None:
        old = app.get("")["id"]
        machine = app.ended()
        app.ask("POST", "/ip_assignments", json={"type": "shared_v4"})
        assert app.ask("DELETE", "?force=true").status_code == 202
        body = {"app_name": app.name, "org_slug": app.subject.org}
        answered(app.http.post("/v1/apps", json=body))
        assert app.get("")["id"] != old
        assert app.get("/machines?include_deleted=true") == []
        assert not app.get("/ip_assignments")["ips"]
        refused(app.ask("GET", f"/machines/{machine}"), 404)

    def test_an_app_whose_machine_runs_is_not_deleted_unless_forced(
        self, app: AppUnderTest
    ) -> None:
        machine = app.running()
        answer = app.ask("DELETE", "")
        if not answer.is_success:
            refused(answer, 400, 409, 412, 422)
            assert app.state(machine) == "started"
        assert app.ask("DELETE", "?force=true").status_code in (202, 404)
        refused(app.ask("GET", ""), 404)

    def test_an_unknown_app_is_not_deleted(self, app: AppUnderTest) -> None:
        why = refused(app.http.delete(f"/v1/apps/{_fresh_name()}"), 404)
        assert why.lower() in ("app not found", "could not find app")
