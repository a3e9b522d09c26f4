"""What a server answers to those who ask too often."""

from __future__ import annotations

import httpx2

from ephemera.testing.machines_api.subject import AppUnderTest, Contract, refused

#: More than any bucket holds; they are sent faster than any bucket fills.
_TOO_MANY = 40


class LimitsContract(Contract):
    """Rate limits, per action and machine or app. Only for a subject that has them."""

    def test_who_asks_too_often_is_told_so_and_when_to_ask_again(self, app: AppUnderTest) -> None:
        answers = [app.ask("GET", "/machines") for _ in range(_TOO_MANY)]
        refusals = [answer for answer in answers if answer.status_code == 429]
        assert refusals
        assert "rate limit exceeded" in refused(refusals[0], 429)
        assert 1 <= int(refusals[0].headers.get("retry-after", "1")) <= 60

    def test_nothing_is_done_for_a_refused_request(self, app: AppUnderTest) -> None:
        config = app.config(app.subject.programs.runs)
        body = {"config": config, "skip_launch": True}
        made = [app.ask("POST", "/machines", json=body) for _ in range(_TOO_MANY)]
        listed = {one["id"] for one in app.get("/machines")}
        assert {one.json()["id"] for one in made if one.is_success} == listed
        assert len(listed) < _TOO_MANY

    def test_one_action_does_not_use_up_anothers_limit(self, app: AppUnderTest) -> None:
        _exhaust(app, "/machines")
        assert app.ask("GET", "").is_success

    def test_one_app_does_not_use_up_anothers_limit(self, app: AppUnderTest) -> None:
        _exhaust(app, "/machines")
        with AppUnderTest.made(app.subject, app.http) as other:
            assert other.ask("GET", "/machines").is_success

    def test_a_machine_may_be_read_more_often_than_anything_else(self, app: AppUnderTest) -> None:
        body = {"config": app.config(app.subject.programs.runs), "skip_launch": True}
        machine = app.post("/machines", json=body)["id"]
        answers = [app.ask("GET", f"/machines/{machine}") for _ in range(10)]
        assert [answer.status_code for answer in answers] == [200] * 10
        _exhaust(app, f"/machines/{machine}")


def _exhaust(app: AppUnderTest, path: str) -> None:
    """Ask for something until that is too often; the test fails where it never is."""
    answers: list[httpx2.Response] = []
    while len(answers) < _TOO_MANY and not (answers and answers[-1].status_code == 429):
        answers.append(app.ask("GET", path))
    refused(answers[-1], 429)
