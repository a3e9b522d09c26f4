"""Who is let in, and the form in which the API says no."""

from __future__ import annotations

import pytest

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, Subject, refused


class RefusalsContract(Contract):
    """Tokens, unknown places, and the shape of every error."""

    @pytest.mark.parametrize("scheme", ["Bearer {}", "bearer {}", "FlyV1 {}", "Bearer FlyV1 {}"])
    def test_a_token_is_taken_in_every_scheme_that_clients_send(
        self, machines_api: Subject, scheme: str
    ) -> None:
        token = machines_api.token.removeprefix("FlyV1 ")
        with machines_api.connect(authorization=scheme.format(token)) as http:
            answer = http.get("/v1/apps", params={"org_slug": machines_api.org})
            assert answer.status_code == 200, answer.text

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Bearer wrong",
            "Basic dXNlcjpwYXNz",
            "FlyV1 fm2_bm90aGluZw",
            "Bearer " + "x" * 5000,
            "Bearer a\tb",
        ],
    )
    def test_nobody_is_let_in_with_a_wrong_token(self, machines_api: Subject, header: str) -> None:
        with machines_api.connect(authorization=header) as http:
            for path in ("/v1/apps?org_slug=personal", "/v1/apps/any", "/v1/apps/any/machines"):
                answer = http.get(path)
                refused(answer, 401)
                assert machines_api.token not in answer.text

    def test_a_token_with_something_added_is_not_the_token(self, machines_api: Subject) -> None:
        for token in (machines_api.token + "x", machines_api.token[:-1], machines_api.token[1:]):
            with machines_api.connect(authorization=f"Bearer {token}") as http:
                refused(http.get("/v1/apps?org_slug=personal"), 401)

    def test_every_answer_has_a_request_id_of_its_own(self, app: AppUnderTest) -> None:
        answers = [app.ask("GET", ""), app.ask("GET", ""), app.ask("GET", "/machines/0")]
        ids = [answer.headers["fly-request-id"] for answer in answers]
        assert all(ids)
        assert len(set(ids)) == len(ids)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", ""),
            ("DELETE", ""),
            ("GET", "/machines"),
            ("GET", "/machines/0123456789abcd"),
            ("POST", "/machines/0123456789abcd/start"),
        ],
    )
    def test_an_unknown_app_is_said_to_be_unknown(
        self, app: AppUnderTest, method: str, path: str
    ) -> None:
        answer = app.http.request(method, f"/v1/apps/contract-nobody{path}")
        assert refused(answer, 404).lower() in ("app not found", "could not find app")

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", ""),
            ("POST", ""),
            ("DELETE", ""),
            ("GET", "/events"),
            ("GET", "/metadata"),
            ("GET", "/metadata/k"),
            ("POST", "/metadata/k"),
            ("DELETE", "/metadata/k"),
            ("GET", "/lease"),
            ("POST", "/lease"),
            ("POST", "/exec"),
            ("POST", "/signal"),
        ],
    )
    def test_an_unknown_machine_is_said_to_be_unknown(
        self, app: AppUnderTest, method: str, path: str
    ) -> None:
        bodies = {
            "": {"config": app.config(app.subject.programs.runs)},
            "/metadata/k": {"value": "v"},
            "/lease": {"ttl": 5},
            "/exec": {"command": app.subject.programs.runs},
            "/signal": {"signal": "SIGTERM"},
        }
        body = bodies.get(path) if method == "POST" else None
        answer = app.ask(method, f"/machines/0123456789abcd{path}", json=body)
        assert refused(answer, 404) == "machine not found"

    def test_a_machine_is_not_found_under_another_app(self, app: AppUnderTest) -> None:
        machine = app.ended()
        other = f"{app.name}-other"
        app.http.post("/v1/apps", json={"app_name": other, "org_slug": app.subject.org})
        assert refused(app.http.get(f"/v1/apps/{other}/machines/{machine}"), 404)
        app.http.delete(f"/v1/apps/{other}")

    @pytest.mark.parametrize("path", ["/machines", "/machines/0123456789abcd/exec"])
    def test_an_empty_body_where_one_is_needed_is_told(self, app: AppUnderTest, path: str) -> None:
        why = refused(app.ask("POST", path), 400, 404)
        assert why in ("EOF", "machine not found")
