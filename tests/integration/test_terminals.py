"""Terminals over WebSockets, as they travel: somebody else's client against a real server."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from ephemera.testing.machines_api import MOCK, AppUnderTest, Subject, refused
from ephemera.testing.serving import Server, serving

DRIVER = "mock"
MIB = 1024 * 1024
_SOON_S = 20


def machine_url(app: AppUnderTest, machine: str, what: str) -> str:
    return f"{app.subject.base_url}/ephemera/apps/{app.name}/machines/{machine}/{what}"


@contextmanager
def opened(
    app: AppUnderTest, machine: str, *command: str, what: str = "terminal", **query: str
) -> Iterator[ClientConnection]:
    """Open a terminal; `token=` is shown in the place of the owner's."""
    token = query.pop("token", app.subject.token)
    words = urlencode([*(("command", word) for word in command), *query.items()])
    url = machine_url(app, machine, f"{what}?{words}").replace("http:", "ws:")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with connect(url, additional_headers=headers, max_size=None, proxy=None) as socket:
        yield socket


def denied(status: int, app: AppUnderTest, machine: str, *command: str, **more: str) -> str:
    """Return why there is no terminal to be had, in words that a client can read."""
    with pytest.raises(InvalidStatus) as caught, opened(app, machine, *command, **more):
        pass
    response = caught.value.response
    assert response.status_code == status, response.body
    assert response.headers["content-type"] == "application/json"
    assert response.headers["fly-request-id"]
    return str(json.loads(response.body or b"")["error"])


def until(socket: ClientConnection, shown: bytes) -> bytes:
    """Return what a terminal shows up to and with `shown`."""
    seen = b""
    while shown not in seen:
        piece = socket.recv(timeout=_SOON_S)
        assert isinstance(piece, bytes), piece
        seen += piece
    return seen


def to_the_end(socket: ClientConnection) -> tuple[bytes, Any]:
    """Return all that a terminal shows, and the exit code that it ends with."""
    seen = b""
    while isinstance(piece := socket.recv(timeout=_SOON_S), bytes):
        seen += piece
    with pytest.raises(ConnectionClosedOK):
        socket.recv(timeout=_SOON_S)
    return seen, json.loads(piece)["exit"]


class TestTerminal:
    def test_a_shell_shows_what_is_typed_and_printed_and_how_it_ended(
        self, app: AppUnderTest
    ) -> None:
        with opened(app, app.running(), "sh") as socket:
            socket.send(b"echo h''i\r")
            assert until(socket, b"hi\r\n") == b"$ echo h''i\r\nhi\r\n"
            socket.send(b"exit 3\r")
            assert to_the_end(socket)[1] == 3

    def test_the_size_is_passed_on_at_first_and_when_it_changes(self, app: AppUnderTest) -> None:
        with opened(app, app.running(), "sh", rows="5", columns="7") as socket:
            socket.send(b"stty size\n")
            until(socket, b"5 7\r\n")
            socket.send(json.dumps({"resize": [50, 132]}))
            socket.send(b"stty size\n")
            until(socket, b"50 132\r\n")

    def test_every_byte_goes_in_and_comes_out(self, app: AppUnderTest) -> None:
        every_byte = bytes(range(256)) * 16
        with opened(app, app.running(), "cat") as socket:
            socket.send(every_byte)
            assert until(socket, every_byte) == every_byte

    def test_a_mebibyte_of_output_comes_out_whole(self, app: AppUnderTest) -> None:
        with opened(app, app.running(), "flood", str(MIB)) as socket:
            seen, code = to_the_end(socket)
        assert (seen, code) == (bytes(range(256)) * (MIB // 256), 0)

    def test_a_command_that_is_not_there_is_refused(self, app: AppUnderTest) -> None:
        assert "no-such-word" in denied(400, app, app.running(), "no-such-word")

    @pytest.mark.parametrize(
        ("command", "query", "why"),
        [
            ((), {}, "command is required"),
            (("",), {}, "command is required"),
            (("sh", "a\0b"), {}, "NUL"),
            (("sh",), {"rows": "0"}, "rows"),
            (("sh",), {"columns": "10000"}, "columns"),
            (("sh",), {"rows": "many"}, "rows"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, app: AppUnderTest, command: tuple[str, ...], query: dict[str, str], why: str
    ) -> None:
        assert why in denied(400, app, app.running(), *command, **query)

    @pytest.mark.parametrize(
        "frame",
        ["hello", "[", "[" * 100_000, "[]", '{"resize": [1]}', '{"resize": [0, 0]}'],
        ids=lambda frame: frame[:20],
    )
    def test_a_control_frame_that_is_none_ends_it(self, app: AppUnderTest, frame: str) -> None:
        machine = app.running()
        with opened(app, machine, "sh") as socket:
            until(socket, b"$ ")
            socket.send(frame)
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(timeout=_SOON_S)
            assert caught.value.rcvd
            assert caught.value.rcvd.code == 1008
            assert "resize" in caught.value.rcvd.reason
        _eventually(lambda: ps(app, machine) == ["run"])


class TestMachine:
    def test_it_must_be_started(self, app: AppUnderTest) -> None:
        stopped = app.ended()
        assert "`look`" in denied(412, app, stopped, "sh")
        assert denied(404, app, "00000000000000", "sh") == "machine not found"

    def test_its_end_ends_its_terminals(self, app: AppUnderTest) -> None:
        machine = app.running()
        with opened(app, machine, "sh") as socket:
            until(socket, b"$ ")
            app.ask("POST", f"/machines/{machine}/stop")
            assert to_the_end(socket)[1] == 137

    def test_a_driver_without_terminals_says_so(self, tmp_path: Path) -> None:
        with serving(tmp_path / "home") as plain:
            subject = Subject(plain.endpoint.url, plain.token)
            with subject.connect() as http, AppUnderTest.made(subject, http) as app:
                why = denied(400, app, app.running(), "sh")
                assert why == "unsupported: terminals with the 'process' driver"
                ended = app.ended()
                assert "keeps no files" in denied(400, app, ended, "sh", what="look")
                exported = http.get(machine_url(app, ended, "export"))
                assert "keeps no files" in refused(exported, 400)


class TestAccess:
    def test_no_token_and_no_token_of_ours_are_refused(self, app: AppUnderTest) -> None:
        machine = app.running()
        for token in ("", "not-ours"):
            for what in ("terminal", "look"):
                why = denied(401, app, machine, "sh", token=token, what=what)
                assert why == "Authenticate: token validation error"

    def test_a_token_of_the_app_opens_its_terminals_and_no_others(
        self, app: AppUnderTest, subject: Subject, http: httpx2.Client
    ) -> None:
        token = app.post("/deploy_token", json={})["token"].removeprefix("FlyV1 ")
        with opened(app, app.running(), "sh", token=token) as socket:
            until(socket, b"$ ")
        with AppUnderTest.made(subject, http) as theirs:
            machine = theirs.running()
            for what in ("terminal", "look"):
                assert denied(403, theirs, machine, "sh", token=token, what=what) == "unauthorized"

    def test_a_machine_does_not_open_terminals_through_its_socket(
        self, server: Server, app: AppUnderTest
    ) -> None:
        machine = app.running()
        transport = httpx2.HTTPTransport(uds=str(server.home / "api" / machine / "api"))
        path = f"/ephemera/apps/{app.name}/machines/{machine}/terminal?command=sh"
        upgrade = {
            "connection": "upgrade",
            "upgrade": "websocket",
            "sec-websocket-key": "MDEyMzQ1Njc4OWFiY2RlZg==",
            "sec-websocket-version": "13",
        }
        with httpx2.Client(transport=transport, base_url="http://anything") as inside:
            assert refused(inside.get(path, headers=upgrade), 403) == "unauthorized"

    def test_the_servers_log_does_not_say_what_is_run(
        self, server: Server, app: AppUnderTest
    ) -> None:
        with opened(app, app.running(), "sh", "hunter2") as socket:
            until(socket, b"$ ")
        denied(400, app, app.running(), "no-such-word")
        said = (server.home / "platform.log").read_text()
        assert "hunter2" not in said
        assert "handshake" not in said

    def test_an_endpoint_that_is_not_there_is_not_found(self, app: AppUnderTest) -> None:
        assert "not found" in denied(404, app, "x", what="nothing-of-the-kind")

    def test_whoever_comes_without_a_web_socket_is_told(self, app: AppUnderTest) -> None:
        machine = app.running()
        for what in ("terminal", "look"):
            found = app.http.get(machine_url(app, machine, f"{what}?command=sh"))
            assert "WebSocket" in refused(found, 426)


class TestClients:
    def test_one_that_goes_away_has_hung_up(self, app: AppUnderTest) -> None:
        machine = app.running()
        for leave in (ClientConnection.close, _vanish):
            with opened(app, machine, "run") as socket:
                assert ps(app, machine) == ["run", "run"]
                leave(socket)
                _eventually(lambda: ps(app, machine) == ["run"])

    @pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process in /proc")
    def test_one_that_does_not_read_fills_nobodys_memory(
        self, server: Server, app: AppUnderTest
    ) -> None:
        machine, flood = app.running(), 200 * MIB
        with opened(app, machine, "sh") as socket:
            until(socket, b"$ ")
            before = _memory_bytes(server)
            socket.send(f"flood {flood}\n".encode())
            # Others are served meanwhile, and time enough passes to read it all many times over.
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline:
                assert app.state(machine) == "started"
            assert _memory_bytes(server) - before < 20 * MIB
            _vanish(socket)
        _eventually(lambda: ps(app, machine) == ["run"])

    def test_a_message_that_is_too_long_ends_it(self, app: AppUnderTest) -> None:
        machine = app.running()
        with opened(app, machine, "cat") as socket:
            # its head only: the server hangs up on that, perhaps before the rest is sent
            socket.socket.sendall(b"\x82\xff" + (MIB + 1).to_bytes(8, "big") + bytes(4))
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(timeout=_SOON_S)
            assert caught.value.rcvd
            assert caught.value.rcvd.code == 1009
        _eventually(lambda: ps(app, machine) == ["run"])


class TestServer:
    def test_its_end_ends_terminals_at_once(self, tmp_path: Path) -> None:
        with serving(tmp_path / "home", driver="mock") as server:
            subject = Subject(server.endpoint.url, server.token, programs=MOCK)
            with subject.connect() as http:
                app = AppUnderTest(subject, http)
                http.post("/v1/apps", json={"app_name": app.name, "org_slug": "personal"})
                with opened(app, app.running(), "sh") as socket:
                    until(socket, b"$ ")
                    assert server.stop() == 0
                    with pytest.raises(ConnectionClosed) as caught:
                        socket.recv(timeout=_SOON_S)
                    assert caught.value.rcvd
                    assert caught.value.rcvd.code == 1012
            said = (server.home / "platform.log").read_text()
            assert "graceful shutdown exceeded" not in said  # by which it would have been cut off
            assert "Traceback" not in said


class TestLook:
    def test_what_is_written_there_stays_there(self, app: AppUnderTest) -> None:
        machine = app.created_and("stopped", ["write", "/report", "half"])
        for _ in range(2):
            with opened(app, machine, "sh", what="look") as socket:
                socket.send(b"cat /report\necho lost > /report\ncat /report\nexit 4\n")
                seen, code = to_the_end(socket)
                assert (seen.count(b"half\r\n"), seen.count(b"lost\r\n")) == (1, 1)
                assert code == 4

    def test_it_has_the_environment_of_the_machine(self, app: AppUnderTest) -> None:
        machine = app.created_and("stopped", ["exit", "1"], env={"COLOUR": "green"})
        with opened(app, machine, "printenv", "COLOUR", what="look") as socket:
            assert to_the_end(socket) == (b"green\r\n", 0)

    def test_there_must_be_something_to_look_at(self, app: AppUnderTest) -> None:
        running = app.running()
        assert "'started'" in denied(412, app, running, "sh", what="look")
        unbooted = str(
            app.post("/machines", json={"config": app.config(["run"]), "skip_launch": True})["id"]
        )
        app.reaches(unbooted, "stopped")
        assert "nothing is left" in denied(412, app, unbooted, "sh", what="look")
        failed = app.created_and("failed", ["no-such-word"])
        assert "nothing is left" in denied(412, app, failed, "sh", what="look")

    def test_an_update_leaves_nothing_to_look_at(self, app: AppUnderTest) -> None:
        machine = app.created_and("stopped", ["write", "/report", "half"])
        app.post(f"/machines/{machine}", json={"config": app.config(["run"])})
        app.reaches(machine, "stopped")
        assert "nothing is left" in denied(412, app, machine, "sh", what="look")

    def test_it_ends_when_the_machine_is_destroyed(self, app: AppUnderTest) -> None:
        machine = app.ended()
        with opened(app, machine, "sh", what="look") as socket:
            until(socket, b"$ ")
            app.ask("DELETE", f"/machines/{machine}")
            assert to_the_end(socket)[1] == 137


def ps(app: AppUnderTest, machine: str) -> list[str]:
    """Return the commands that run in a machine."""
    return [one["command"] for one in app.get(f"/machines/{machine}/ps")]


def _vanish(socket: ClientConnection) -> None:
    """End a connection as a computer does that is switched off, without a word."""
    socket.socket.close()


def _eventually(holds: Any) -> None:
    deadline = time.monotonic() + _SOON_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _memory_bytes(server: Server) -> int:
    status = Path(f"/proc/{server.endpoint.pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(resident.split()[1]) * 1024
