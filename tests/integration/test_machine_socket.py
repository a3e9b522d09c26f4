"""The API inside a machine, through its own socket, with programs that really run."""

from __future__ import annotations

import json
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx2
import jwt
import pytest

from ephemera.testing.machines_api import AppUnderTest, Subject, answered, refused
from ephemera.testing.serving import Server, serving

#: Sends one request through the machine's own socket, and prints the answer's body.
ASKS = """
import http.client, os, socket, sys
method, path, body = sys.argv[1:]
connection = http.client.HTTPConnection("flaps")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(os.environ["EPHEMERA_API_SOCKET"])
connection.request(method, path.replace("ME", os.environ["FLY_MACHINE_ID"]), body)
print(connection.getresponse().read().decode(), flush=True)
"""


def asks(method: str, path: str, body: str = "") -> list[str]:
    """Return a program that sends a request from inside a machine."""
    return [sys.executable, "-c", ASKS, method, path, body]


def through(server: Server, machine: str) -> httpx2.Client:
    """Return a client that comes through the socket of a machine, and shows no token."""
    path = str(server.home / "api" / machine / "api")
    transport = httpx2.HTTPTransport(uds=path)
    return httpx2.Client(transport=transport, base_url="http://anything", timeout=30)


def last_line(app: AppUnderTest, machine: str) -> str:
    """Return the last line that a machine's program printed."""
    page = app.http.get(f"/api/v1/apps/{app.name}/logs", params={"instance": machine}).json()
    lines = [one["attributes"] for one in page["data"]]
    said = [one["message"] for one in lines if one["meta"]["event"]["provider"] == "app"]
    return str(said[-1])


def test_a_program_proves_to_others_which_machine_it_is(app: AppUnderTest) -> None:
    machine = app.created_and("stopped", asks("POST", "/v1/tokens/oidc", '{"aud": "vault"}'))
    token = last_line(app, machine)
    issuer = jwt.decode(token, options={"verify_signature": False})["iss"]
    document = answered(httpx2.get(f"{issuer}/.well-known/openid-configuration", timeout=30)).json()
    assert document["issuer"] == issuer
    key = jwt.PyJWKClient(document["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["RS256"], audience="vault", issuer=issuer)
    name = app.get(f"/machines/{machine}")["name"]
    assert claims["sub"] == f"{app.subject.org}:{app.name}:{name}"
    assert claims["machine_id"] == machine


def test_a_program_stops_its_own_machine(app: AppUnderTest) -> None:
    program = asks("POST", f"/v1/apps/{app.name}/machines/ME/stop", '{"signal": "SIGKILL"}')
    forever = [*program[:2], f"{program[2]}\nimport time; time.sleep(600)", *program[3:]]
    machine = app.created_and("stopped", forever)
    assert app.exit_of(machine)["requested_stop"] is True


def test_the_machine_is_who_asks(server: Server, app: AppUnderTest) -> None:
    machine = app.running()
    with through(server, machine) as inside:
        (token,) = answered(inside.get("/v1/tokens/current")).json()["tokens"]
        assert token["apps"] == [app.name]
        assert token["source_machine_id"] == token["restricted_to_machine"] == machine
        listed = answered(inside.get(f"/v1/apps/{app.name}/machines")).json()
        assert [one["id"] for one in listed] == [machine]
        answered(
            inside.post(f"/v1/apps/{app.name}/machines/{machine}/metadata/k", json={"value": "v"})
        )
    assert app.get(f"/machines/{machine}/metadata") == {"k": "v"}


def test_a_machine_does_nothing_to_others(
    server: Server, subject: Subject, http: httpx2.Client, app: AppUnderTest
) -> None:
    machine, sibling = app.running(), app.running()
    with AppUnderTest.made(subject, http) as theirs, through(server, machine) as inside:
        stranger = theirs.running()
        mine, other = f"/v1/apps/{app.name}", f"/v1/apps/{theirs.name}"
        for method, path in (
            ("POST", f"{mine}/machines/{sibling}/stop"),
            ("DELETE", f"{mine}/machines/{sibling}?force=true"),
            ("DELETE", f"{mine}/machines/{machine}?force=true"),
            ("POST", f"{mine}/machines"),
            ("POST", f"{mine}/machines/{machine}"),
            ("POST", f"{mine}/machines/{machine}/exec"),
            ("POST", f"{mine}/deploy_token"),
            ("GET", f"{mine}/secrets?show_secrets=true"),
            ("DELETE", mine),
            ("GET", other),
            ("GET", f"{other}/machines/{stranger}"),
            ("POST", f"{other}/machines/{stranger}/stop"),
            ("POST", f"{other}/machines/{machine}/stop"),
            ("POST", "/v1/apps"),
            ("GET", "/v1/apps"),
            ("GET", "/v1/orgs/personal/machines"),
            ("GET", "/ephemera/tokens"),
        ):
            assert refused(inside.request(method, path), 403) == "unauthorized", (method, path)
        refused(inside.post(f"{mine}/machines/{sibling[::-1]}/stop"), 403)
        assert [app.state(machine), app.state(sibling)] == ["started", "started"]
        assert theirs.state(stranger) == "started"


def test_a_token_that_is_shown_counts_instead(server: Server, app: AppUnderTest) -> None:
    machine = app.running()
    with through(server, machine) as inside:
        assert inside.get("/v1/apps", headers=server.headers).status_code == 200
        refused(inside.get(f"/v1/apps/{app.name}", headers={"authorization": "Bearer no"}), 401)
        refused(inside.post("/v1/tokens/oidc", headers=server.headers), 400)


@pytest.mark.parametrize("audience", ["a\nb", "\x00", "x" * 1025, 7])
def test_an_audience_that_is_none_is_refused(
    server: Server, app: AppUnderTest, audience: object
) -> None:
    with through(server, app.running()) as inside:
        assert "aud" in refused(inside.post("/v1/tokens/oidc", json={"aud": audience}), 400)


def test_a_machine_that_stopped_has_no_socket(server: Server, app: AppUnderTest) -> None:
    machine = app.ended()
    with through(server, machine) as inside, pytest.raises(httpx2.ConnectError):
        inside.get(f"/v1/apps/{app.name}")


def test_a_connection_that_is_still_open_ends_with_its_machine(
    server: Server, app: AppUnderTest
) -> None:
    machine = app.running()
    with through(server, machine) as inside:
        answered(inside.get(f"/v1/apps/{app.name}"))
        app.ask("POST", f"/machines/{machine}/stop")
        app.reaches(machine, "stopped")
        refused(inside.post("/v1/tokens/oidc"), 403)
        refused(inside.post(f"/v1/apps/{app.name}/machines/{machine}/start"), 403)
        app.ask("DELETE", f"/machines/{machine}")
        app.reaches(machine, "destroyed")
        refused(inside.get(f"/v1/apps/{app.name}"), 403, 404)


def test_the_same_socket_is_answered_by_the_next_server(tmp_path: Path) -> None:
    with serving(tmp_path / "home") as server:
        subject = Subject(server.endpoint.url, server.token)
        with subject.connect() as http, AppUnderTest.made(subject, http) as app:
            machine = app.running()
            for end in (server.kill, server.stop):
                end()
                with through(server, machine) as inside, pytest.raises(httpx2.ConnectError):
                    inside.get(f"/v1/apps/{app.name}")
                server.restart()
                with through(server, machine) as inside:
                    answered(inside.get(f"/v1/apps/{app.name}"))


def test_a_request_through_a_socket_does_not_hold_up_the_end_of_the_server(
    tmp_path: Path,
) -> None:
    with serving(tmp_path / "home") as server:
        subject = Subject(server.endpoint.url, server.token)
        with subject.connect() as http, AppUnderTest.made(subject, http) as app:
            machine = app.running()
            with through(server, machine) as inside:
                answered(inside.get(f"/v1/apps/{app.name}"))  # the connection stays open
                assert server.stop(timeout=40) == 0
            server.restart()


def test_a_machine_has_so_many_connections_and_no_more(server: Server, app: AppUnderTest) -> None:
    machine, other = app.running(), app.running()
    path = str(server.home / "api" / machine / "api")
    with ExitStack() as held:
        silent = [held.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(65)]
        for one in silent:
            one.connect(path)
        silent[-1].settimeout(30)
        with silent[-1].makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 503 Service Unavailable\r\n"
            said = json.loads(answer.read().partition(b"\r\n\r\n")[2])
        assert said == {"error": f"machine {machine} has 64 connections already"}
        with through(server, other) as inside:
            answered(inside.get("/v1/tokens/current"))
    with through(server, machine) as inside:
        answered(inside.get("/v1/tokens/current"))
