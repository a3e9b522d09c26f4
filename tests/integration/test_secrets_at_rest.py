"""Where secrets are not: in files, logs, command lines and errors. And that they last."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera.testing.machines_api import AppUnderTest, Subject, answered, refused
from ephemera.testing.serving import DidNotServe, Server, serving

VALUE = "correct-horse-battery-staple"
KEY = b"a-private-key-that-has-32-bytes."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("platform")) as server:
        yield server


@pytest.fixture
def app(server: Server) -> Iterator[AppUnderTest]:
    subject = Subject(server.endpoint.url, server.token)
    with subject.connect() as http, AppUnderTest.made(subject, http) as app:
        body = {"type": "nacl_auth", "value": base64.b64encode(KEY).decode()}
        answered(app.ask("POST", "/secretkeys/key", json=body))
        app.post("/secrets", json={"values": {"PHRASE": VALUE}})
        yield app


def _holding(home: Path, *values: bytes) -> list[str]:
    """Return the files below a folder that hold one of the values."""
    found = (Path(folder, name) for folder, _, names in os.walk(home) for name in names)
    files = [path for path in found if path.is_file()]
    assert home / "platform.db" in files
    return [path.name for path in files if any(one in _read(path) for one in values)]


def _command_lines() -> bytes:
    return b"\n".join(_read(process / "cmdline") for process in Path("/proc").glob("[0-9]*"))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it has just ended, or was removed: boots come and go


def test_no_file_of_the_state_folder_holds_a_value(server: Server, app: AppUnderTest) -> None:
    machine = app.created_and("started", ["sh", "-c", 'test "$PHRASE" && exec sleep 600'])
    app.post("/secrets", json={"values": {"PHRASE": VALUE + "-2"}})
    app.ask("POST", f"/machines/{machine}/restart")
    refused(app.ask("POST", "/secrets", json={"values": {"PHRASE": VALUE + "\0"}}), 400)
    answered(app.ask("GET", "/secrets?show_secrets=true"))
    forms = (VALUE.encode(), KEY, base64.b64encode(KEY), base64.b64encode(VALUE.encode()))
    assert _holding(server.home, *forms) == []
    server.kill()
    assert _holding(server.home, *forms) == []
    server.restart()
    assert _holding(server.home, *forms) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_no_command_line_holds_a_value(app: AppUnderTest) -> None:
    app.running()
    assert VALUE.encode() not in _command_lines()


@pytest.mark.parametrize(
    "body",
    [
        {"values": {"PHRASE": VALUE + "\0"}},
        {"values": {"PHRASE": [VALUE]}},
        {"values": {"1": VALUE}},
        {"values": {"PHRASE": VALUE * 4000}},
    ],
)
def test_no_refusal_and_no_log_holds_a_value(
    server: Server, app: AppUnderTest, body: dict[str, object]
) -> None:
    assert VALUE not in refused(app.ask("POST", "/secrets", json=body), 400)
    assert VALUE not in (server.home / "platform.log").read_text()


def test_a_boot_that_fails_tells_no_secret(server: Server, app: AppUnderTest) -> None:
    machine = app.created_and("failed", ["/no/such/program", "x"])
    assert VALUE not in answered(app.ask("GET", f"/machines/{machine}")).text
    assert _holding(server.home, VALUE.encode()) == []


def test_secrets_and_keys_survive_a_crash(server: Server, app: AppUnderTest) -> None:
    body = {"plaintext": base64.b64encode(b"hello").decode()}
    before = (
        app.get("/secrets?show_secrets=true"),
        app.get("/secretkeys"),
        app.post("/secretkeys/key/sign", json=body),
    )
    server.kill()
    server.restart()
    after = (
        app.get("/secrets?show_secrets=true"),
        app.get("/secretkeys"),
        app.post("/secretkeys/key/sign", json=body),
    )
    assert after == before
    assert app.post("/secrets", json={"values": {"A": "b"}})["version"] == 3


def test_a_machine_boots_with_the_same_secrets_after_a_crash(
    server: Server, app: AppUnderTest
) -> None:
    machine = app.created_and("stopped", ["sh", "-c", 'test "$PHRASE" = ' + VALUE])
    app.post("/secrets", json={"values": {"PHRASE": "another"}})
    server.kill()
    server.restart()
    app.post(f"/machines/{machine}/start")
    app.reaches(machine, "stopped")
    assert app.exit_of(machine)["exit_code"] == 0


def test_a_server_without_its_key_says_which_file_is_missing(
    server: Server, app: AppUnderTest
) -> None:
    file = server.home / "secrets.key"
    key = file.read_bytes()
    server.stop()
    file.unlink()
    with pytest.raises(DidNotServe, match=r"secrets\.key is missing"):
        server.restart()
    file.write_bytes(base64.b64encode(bytes(32)))
    with pytest.raises(DidNotServe, match=r"secrets\.key is not the key"):
        server.restart()
    file.write_bytes(key)
    server.restart()
    assert app.get("/secrets/PHRASE?show_secrets=true")["value"] == VALUE
