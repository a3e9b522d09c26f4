from __future__ import annotations

from typing import Any

import pytest

from ephemera.platform.access import authorizing
from ephemera.platform.access.authorizing import Access
from ephemera.platform.access.principal import OWNER, Principal, of_app_token
from ephemera.platform.records import AppRecord
from ephemera.platform.refusals import Refusal
from ephemera.wire.tokens import TokenAccess

APP = AppRecord("app-1", "demo", "personal", "", 0.0)
THEIRS = AppRecord("app-2", "theirs", "personal", "", 0.0)
TOKEN = of_app_token("t1", APP.id)


def asked(**access: Any) -> TokenAccess:
    return TokenAccess.model_validate(access)


def access(action: int, app: AppRecord | None = None, **named: Any) -> Access:
    return Access(action, "personal", app, asked(**named))


@pytest.mark.parametrize(
    ("given", "number", "letters"),
    [
        (None, 0, ""),
        ("", 0, ""),
        ("r", 1, "r"),
        ("wr", 3, "rw"),
        ("rr", 1, "r"),
        ("C", 16, "C"),
        ("rwcdC", 31, "rwcdC"),
        ("*", 31, "rwcdC"),
        (0, 0, ""),
        (8, 8, "d"),
        (31, 31, "rwcdC"),
    ],
)
def test_actions_are_letters_or_a_number(
    given: str | int | None, number: int, letters: str
) -> None:
    assert authorizing.actions(given) == number
    assert authorizing.letters(number) == letters


@pytest.mark.parametrize("given", ["x", "rw ", "**", "R", -1, 32, 65535])
def test_what_is_no_set_of_actions_is_refused(given: str | int) -> None:
    with pytest.raises(Refusal, match=r"access\.action") as refused:
        authorizing.actions(given)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({}, "names no"),
        ({"mutation": "deleteApp"}, "names no"),
        ({"app_name": ""}, "names no"),
        ({"org_feature": "wg"}, "access.org_slug"),
        ({"storage_object": "bucket/x", "app_name": "a"}, "access.org_slug"),
        ({"app_feature": "images"}, "access.app_name"),
        ({"machine_feature": "oidc", "app_name": "a"}, "access.machine_id"),
        ({"command": [], "app_name": "a"}, "access.machine_id"),
        ({"org_slug": "o", "org_feature": "wg", "app_name": "a"}, "app_name, org_feature"),
        ({"machine_id": "m", "volume_id": "v"}, "machine_id, volume_id"),
        ({"app_name": "a", "app_feature": "images", "volume_id": "v"}, "volume_id, app_feature"),
        ({"machine_id": "m", "machine_feature": "oidc", "command": ["ls"]}, "machine_feature"),
    ],
)
def test_an_access_is_to_one_thing_that_is_named_whole(named: dict[str, Any], why: str) -> None:
    with pytest.raises(Refusal, match=why) as refused:
        authorizing.check(asked(action="r", **named))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "named",
    [
        {"org_slug": "o"},
        {"org_slug": "o", "org_feature": "wg"},
        {"org_slug": "o", "app_name": "a"},
        {"app_name": "a", "app_feature": "images"},
        {"machine_id": "m"},
        {"machine_id": "m", "command": ["ls"]},
        {"volume_id": "v"},
    ],
)
def test_an_access_to_one_thing_is_fine(named: dict[str, Any]) -> None:
    assert authorizing.check(asked(action="rw", **named)) == 3


@pytest.mark.parametrize(
    ("principal", "what", "is_allowed"),
    [
        (OWNER, access(31, APP), True),
        (OWNER, access(31), True),
        (TOKEN, access(31, APP), True),
        (TOKEN, access(1, THEIRS), False),
        (TOKEN, access(0, THEIRS), False),
        (TOKEN, access(1), True),
        (TOKEN, access(0), True),
        (TOKEN, access(3), False),
        (TOKEN, access(4), False),
    ],
)
def test_a_token_allows_what_it_is_for(
    principal: Principal, what: Access, *, is_allowed: bool
) -> None:
    assert authorizing.allowed(principal, what, {"personal"}) == is_allowed


def test_a_token_may_not_even_look_at_another_organisation() -> None:
    assert not authorizing.allowed(TOKEN, access(1), {"theirs"})


def test_what_was_not_asked_about_is_not_shown() -> None:
    shown = access(17, APP, machine_id="m", command=["ls", "-l"], source_machine="s").view()
    assert shown.pop("orgid") > 0
    assert shown.pop("appid") > 0
    assert shown == {
        "action": "rC",
        "machine": "m",
        "command": ["ls", "-l"],
        "sourceMachine": "s",
    }
