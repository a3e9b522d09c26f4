"""No operation of the document lets anybody in who may not come in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx2
import pytest

from ephemera.testing.clock import PlatformClock
from ephemera.testing.machines_api import refused
from ephemera.testing.serving import serving
from tests.conformance import world
from tests.conformance.document import Operation, load, operations
from tests.conformance.plausible import BODIES
from tests.conformance.world import World

OPERATIONS = list(operations(load()))
#: The token that is asked about is in their body, so they ask for none.
WITHOUT_TOKEN = {"POST /v1/tokens/authenticate", "POST /v1/tokens/authorize"}
#: Names of the world that tell nothing of an app.
NOBODYS = {"key", "personal"}

OF_AN_APP = [one for one in OPERATIONS if "{app_name}" in one.path]
OF_ALL = [one for one in OPERATIONS if one not in OF_AN_APP and one.name not in WITHOUT_TOKEN]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with serving(tmp_path_factory.mktemp("access"), driver="mock") as server:
        yield world.make(server)


@pytest.fixture(scope="module")
def http(made: World) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=made.server.endpoint.url, timeout=30) as http:
        yield http


@pytest.fixture(scope="module")
def foreign_token(made: World, http: httpx2.Client) -> str:
    """A token for another app than the one that has everything."""
    return _deploy_token(made, http, "foreign", "48h")


@pytest.fixture(scope="module")
def expired_token(made: World, http: httpx2.Client) -> str:
    """A token for the app that has everything, of yesterday."""
    token = _deploy_token(made, http, made.names["path.app_name"][0], "1h")
    clock = PlatformClock(made.server.endpoint.url, made.server.token)
    clock.move(24 * 3600)
    clock.close()
    return token


def _deploy_token(made: World, http: httpx2.Client, app: str, expiry: str) -> str:
    headers = made.server.headers
    http.post("/v1/apps", headers=headers, json={"name": app, "org_slug": "personal"})
    path = f"/v1/apps/{app}/deploy_token"
    answer = http.post(path, headers=headers, json={"expiry": expiry}).raise_for_status()
    return str(answer.json()["token"])


def _ask(
    made: World, http: httpx2.Client, operation: Operation, authorization: str
) -> httpx2.Response:
    """Ask for what there is, with a body that makes sense."""

    def name(piece: re.Match[str]) -> str:
        parameter = f"path.{piece[1]}"
        own = made.own.get(operation.name, {})
        return (own.get(parameter) or made.names[parameter])[0]

    path = re.sub("{([^}]+)}", name, operation.path)
    bodies = {**BODIES, **made.bodies}.get(operation.name) or [{}]
    sent = json.dumps(bodies[0]) if "requestBody" in operation.definition else None
    headers = {"authorization": authorization}
    return http.request(operation.method, path, content=sent, headers=headers)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_nobody_is_let_in_without_a_good_token(
    made: World, http: httpx2.Client, expired_token: str, operation: Operation
) -> None:
    for authorization in ("", "Bearer wrong", expired_token):
        answer = _ask(made, http, operation, authorization)
        if operation.name in WITHOUT_TOKEN:
            assert answer.status_code == 200, answer.text
        else:
            refused(answer, 401)


@pytest.mark.parametrize("operation", OF_AN_APP, ids=lambda operation: operation.name)
def test_a_token_for_one_app_does_nothing_with_another(
    made: World, http: httpx2.Client, foreign_token: str, operation: Operation
) -> None:
    assert refused(_ask(made, http, operation, foreign_token), 403) == "unauthorized"


@pytest.mark.parametrize("operation", OF_ALL, ids=lambda operation: operation.name)
def test_a_token_for_one_app_is_told_nothing_of_another(
    made: World, http: httpx2.Client, foreign_token: str, operation: Operation
) -> None:
    answer = _ask(made, http, operation, foreign_token)
    assert answer.status_code < 500
    theirs = {name for names in made.names.values() for name in names} - NOBODYS
    assert [name for name in theirs if name in answer.text] == []
