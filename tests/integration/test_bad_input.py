"""Whatever is sent, the answer is a clear JSON error of the 4xx kind, and nothing is half done."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx2
import pytest

from ephemera.testing.machines_api import AppUnderTest, Subject, refused
from ephemera.testing.serving import Server

_LIMIT_BYTES = 1024 * 1024
_CONFIG = {"image": "host", "init": {"exec": ["sleep", "600"]}, "restart": {"policy": "no"}}


@pytest.fixture(autouse=True)
def unharmed(server: Server, subject: Subject) -> Iterator[None]:
    """Hold every test of this file to it: the server lives, and its log tells of no defect."""
    log = server.home / "platform.log"
    before = log.stat().st_size
    yield
    assert server.alive
    with subject.connect() as http:
        assert http.get("/ephemera/status").status_code == 200
    with log.open() as opened:
        opened.seek(before)
        said = opened.read()
    assert "Traceback" not in said, said[-3000:]


class TestBodies:
    MALFORMED: ClassVar[dict[str, bytes]] = {
        "truncated": b'{"config": {"image": "ho',
        "two values": b"{} {}",
        "NaN": b'{"config": {"image": "host", "x": NaN}}',
        "infinity": b'{"config": {"image": "host", "x": -Infinity}}',
        "byte order mark": b"\xef\xbb\xbf" + json.dumps({"config": _CONFIG}).encode(),
        "UTF-16": json.dumps({"config": _CONFIG}).encode("utf-16"),
        "invalid UTF-8": b'{"config": {"image": "h\xffst"}}',
        "half a character": b'{"config": {"image": "host", "env": {"A": "\\ud800"}}}',
        "half a character as a key": b'{"config": {"image": "host", "\\udfff": 1}}',
        "nested too deeply": b'{"config":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        "never closed": b"[" * 100_000,
        "more digits than a number has": b'{"config": {"image": "host", "x": '
        + b"9" * 5000
        + b"}}",
        "single quotes": b"{'config': {}}",
        "control character": b'{"name": "a\nb", "config": {"image": "host"}}',
        "array": b"[]",
        "null": b"null",
        "text": b'"config"',
        "number": b"1",
        "only blanks": b" \n\t ",
        "form": b"config=host&name=x",
    }

    @pytest.mark.parametrize("name", MALFORMED)
    @pytest.mark.parametrize("path", ["/machines", "/machines/{id}", "/machines/{id}/exec"])
    def test_a_malformed_body_is_refused(self, app: AppUnderTest, name: str, path: str) -> None:
        machine = app.ended()
        before = app.get("/machines")
        answer = app.ask("POST", path.format(id=machine), content=self.MALFORMED[name])
        assert "sys." not in refused(answer, 400)
        assert app.get("/machines") == before

    def test_the_last_of_two_equal_keys_counts(self, app: AppUnderTest) -> None:
        config = json.dumps(_CONFIG)
        body = f'{{"skip_launch": true, "name": "one", "name": "two", "config": {config}}}'
        assert app.post("/machines", content=body)["name"] == "two"

    def test_nul_characters_go_nowhere_near_a_program(self, app: AppUnderTest) -> None:
        for config in (
            {**_CONFIG, "init": {"exec": ["sleep", "6\0"]}},
            {**_CONFIG, "env": {"A\0": "x"}},
            {**_CONFIG, "env": {"A": "x\0"}},
            {**_CONFIG, "files": [{"guest_path": "/a\0b", "raw_value": ""}]},
        ):
            refused(app.ask("POST", "/machines", json={"config": config}), 400)
        assert app.get("/machines") == []

    def test_metadata_that_no_program_could_be_given_is_refused(self, app: AppUnderTest) -> None:
        config = app.config(["true"], metadata={"fly_process_group": "a\0b"})
        refused(app.ask("POST", "/machines", json={"config": config}), 400)
        assert app.get("/machines") == []

    @pytest.mark.parametrize("chunked", [False, True], ids=["with-length", "chunked"])
    @pytest.mark.parametrize("path", ["/machines", "/machines/{id}/stop", "/machines/{id}/lease"])
    def test_a_body_over_the_limit_is_refused(
        self, app: AppUnderTest, path: str, *, chunked: bool
    ) -> None:
        machine = app.ended()
        body = json.dumps({"config": _CONFIG}).encode().ljust(_LIMIT_BYTES + 1)
        pieces = (body[at : at + 65536] for at in range(0, len(body), 65536))
        path = path.format(id=machine)
        answer = app.ask("POST", path, content=pieces if chunked else body)
        assert str(_LIMIT_BYTES) in refused(answer, 413)
        assert [one["id"] for one in app.get("/machines")] == [machine]

    def test_a_body_of_exactly_the_limit_is_read(self, app: AppUnderTest) -> None:
        body = json.dumps({"config": _CONFIG, "skip_launch": True}).encode().ljust(_LIMIT_BYTES)
        assert app.post("/machines", content=body)["id"]

    TOO_MANY: ClassVar[dict[str, Any]] = {
        "of a list": {"config": {**_CONFIG, "services": [{}] * 300_000}},
        "of an object": {"config": {**_CONFIG, "env": {str(one): "" for one in range(80_000)}}},
        "unknown": {"config": _CONFIG, "more": [[[1]] * 100] * 2_000},
    }

    @pytest.mark.parametrize("name", TOO_MANY)
    def test_more_values_than_anybody_would_wait_for_are_refused(
        self, app: AppUnderTest, name: str
    ) -> None:
        said = refused(app.ask("POST", "/machines", json=self.TOO_MANY[name]), 400)
        assert "more than 10000 values" in said
        assert app.get("/machines") == []

    def test_a_command_that_would_take_long_to_split_is_refused(self, app: AppUnderTest) -> None:
        machine = app.ended()
        answer = app.ask("POST", f"/machines/{machine}/exec", json={"cmd": "a " * 100_000})
        assert "use command" in refused(answer, 400)


#: Every field of a request, and which JSON types it may have.
_FIELDS: dict[tuple[str, str], set[type]] = {
    ("/machines", "name"): {str, type(None)},
    ("/machines", "region"): {str, type(None)},
    ("/machines", "config"): set(),
    ("/machines", "skip_launch"): {bool, type(None)},
    ("/machines", "lease_ttl"): {int, type(None)},
    ("/machines", "config.image"): {str},
    ("/machines", "config.env"): {dict, type(None)},
    ("/machines", "config.env.A"): {str},
    ("/machines", "config.guest"): {dict, type(None)},
    ("/machines", "config.guest.cpus"): {int, type(None)},
    ("/machines", "config.guest.cpu_kind"): {type(None)},
    ("/machines", "config.guest.memory_mb"): {type(None)},
    ("/machines", "config.init"): {dict, type(None)},
    ("/machines", "config.init.exec"): {list, type(None)},
    ("/machines", "config.init.cmd"): {list, type(None)},
    ("/machines", "config.init.entrypoint"): {list, type(None)},
    ("/machines", "config.init.tty"): {type(None)},
    ("/machines", "config.restart"): {dict, type(None)},
    ("/machines", "config.restart.policy"): {type(None)},
    ("/machines", "config.restart.max_retries"): {int, type(None)},
    ("/machines", "config.auto_destroy"): {bool, type(None)},
    ("/machines", "config.stop_config"): {dict, type(None)},
    ("/machines", "config.stop_config.signal"): {type(None)},
    ("/machines", "config.stop_config.timeout"): {int, float, type(None)},
    ("/machines", "config.files"): {list, type(None)},
    ("/machines", "config.metadata"): {dict, type(None)},
    ("/machines", "config.metadata.k"): {str},
    ("/machines", "config.services"): {list, type(None)},
    ("/machines", "config.checks"): {dict, type(None)},
    ("/machines", "config.mounts"): {list, type(None)},
    ("/machines", "config.processes"): {list, type(None)},
    ("/machines", "config.schedule"): {type(None)},
    ("/machines", "config.standbys"): {list, type(None)},
    ("/machines/{id}/stop", "signal"): {int, type(None)},
    ("/machines/{id}/stop", "timeout"): {int, float, type(None)},
    ("/machines/{id}/signal", "signal"): {int},
    ("/machines/{id}/exec", "command"): set(),
    ("/machines/{id}/exec", "cmd"): {str},
    ("/machines/{id}/lease", "ttl"): {int, type(None)},
    ("/machines/{id}/lease", "description"): {str, type(None)},
    ("/machines/{id}/metadata/k", "value"): {str},
}

_SAMPLES: list[Any] = [None, True, 1, 1.5, "text", [], {}]


def _wrong_types() -> Iterator[tuple[str, str, Any]]:
    for (path, field), right in _FIELDS.items():
        for value in _SAMPLES:
            if type(value) not in right:
                yield path, field, value


def _body_with(field: str, value: Any) -> dict[str, Any]:
    """Return a body in which everything is right but one field."""
    body: dict[str, Any] = {"config": dict(_CONFIG)} if field.startswith("config.") else {}
    *parents, last = field.split(".")
    place = body
    for parent in parents:
        place[parent] = dict(place.get(parent, {}))
        place = place[parent]
    place[last] = value
    return body if "config" in body else {"config": _CONFIG, "command": ["true"], **body}


def test_every_field_of_a_wrong_type_is_refused_by_its_name(app: AppUnderTest) -> None:
    machine = app.running()
    app.ask("POST", f"/machines/{machine}/metadata/k", json={"value": "1"})
    before = app.get("/machines")
    taken = []
    for path, field, value in _wrong_types():
        body = _body_with(field, value)
        if field == "cmd":
            del body["command"]
        answer = app.ask("POST", path.format(id=machine), json=body)
        if answer.status_code != 400:
            taken.append((path, field, value, answer.status_code, answer.text[:200]))
    assert taken == []
    assert app.get("/machines") == before


class TestNames:
    NAMES: ClassVar[list[str]] = [
        "../../etc/passwd",
        "a/b",
        "a\0b",
        "a\nb",
        "\x1b[31m",
        "x" * 1000,
        "ünïcödé",
        "💥",
        " ",
    ]

    @pytest.mark.parametrize("name", NAMES)
    def test_a_strange_machine_name_is_refused(self, app: AppUnderTest, name: str) -> None:
        refused(app.ask("POST", "/machines", json={"name": name, "config": _CONFIG}), 400)
        assert app.get("/machines") == []

    @pytest.mark.parametrize("name", NAMES)
    def test_a_strange_app_name_is_refused(self, http: httpx2.Client, name: str) -> None:
        refused(http.post("/v1/apps", json={"app_name": name, "org_slug": "personal"}), 400, 422)

    @pytest.mark.parametrize(
        "name", ["%2e%2e%2fetc", "%00", "%0a", "x" * 1000, "%C3%BC", "%FF", "%F0%9F%92%A5", "a%2Fb"]
    )
    def test_a_strange_name_in_a_path_is_not_found(
        self, app: AppUnderTest, http: httpx2.Client, name: str
    ) -> None:
        for path in (
            f"/v1/apps/{name}",
            f"/v1/apps/{name}/machines",
            f"/v1/apps/{app.name}/machines/{name}",
            f"/v1/apps/{app.name}/machines/{name}/wait?timeout=1",
            f"/api/v1/apps/{name}/logs",
        ):
            refused(http.get(path), 404)

    @pytest.mark.parametrize("region", ["../x", "a b", "\0", "x" * 1000 + "!", "ü"])
    def test_a_strange_region_is_refused(self, app: AppUnderTest, region: str) -> None:
        refused(app.ask("POST", "/machines", json={"region": region, "config": _CONFIG}), 400)


class TestPlaces:
    @pytest.mark.parametrize(
        "path", ["/v1", "/v3/apps", "/v1/apps/", "/v1/nothing", "/favicon.ico", "/v1/apps/a/b"]
    )
    def test_an_unknown_path_is_not_found(self, http: httpx2.Client, path: str) -> None:
        refused(http.get(path), 404)

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/v1/apps", "GET, HEAD, POST"),
            ("PATCH", "/v1/apps/{app}", "DELETE, GET, HEAD"),
            ("DELETE", "/v1/apps/{app}/machines", "GET, HEAD, POST"),
            ("GET", "/v1/apps/{app}/machines/x/start", "POST"),
            ("PUT", "/v1/apps/{app}/machines/x/metadata/k", "DELETE, GET, HEAD, POST"),
            ("OPTIONS", "/v1/apps", "GET, HEAD, POST"),
            ("POST", "/v2/{app}/tags/list", "GET, HEAD"),
        ],
    )
    def test_a_wrong_method_is_refused_with_those_that_there_are(
        self, app: AppUnderTest, method: str, path: str, allowed: str
    ) -> None:
        answer = app.http.request(method, path.format(app=app.name))
        assert answer.status_code == 405
        assert answer.headers["allow"] == allowed

    def test_a_very_long_query_is_refused_or_ignored(self, app: AppUnderTest) -> None:
        answer = app.ask("GET", f"/machines?metadata.k={'x' * 30_000}")
        assert answer.status_code in (200, 400, 414, 431)
        answer = app.ask("GET", f"/machines?{'&'.join(f'metadata.k{n}=x' for n in range(2000))}")
        assert answer.status_code in (200, 400, 414, 431)

    @pytest.mark.parametrize("flag", ["force", "kill"])
    def test_a_flag_that_is_neither_yes_nor_no_is_refused(
        self, app: AppUnderTest, flag: str
    ) -> None:
        machine = app.running()
        refused(app.ask("DELETE", f"/machines/{machine}?{flag}=perhaps"), 400)
        assert app.state(machine) == "started"


class TestPrograms:
    @pytest.mark.parametrize(
        "program",
        [["no-such-program"], ["/no/such"], ["/etc"], ["/etc/passwd"], [""], ["x" * 9999]],
    )
    def test_a_program_that_cannot_be_executed_ends_as_failed(
        self, app: AppUnderTest, program: list[str]
    ) -> None:
        answer = app.ask("POST", "/machines", json={"config": app.config(program)})
        if not answer.is_success:
            refused(answer, 400)
            assert app.get("/machines") == []
            return
        machine = answer.json()["id"]
        app.reaches(machine, "settled")
        assert app.state(machine) == "failed"
        assert app.post(f"/machines/{machine}/stop") == {"ok": True}
        app.ask("DELETE", f"/machines/{machine}").raise_for_status()
        app.reaches(machine, "destroyed")

    @pytest.mark.parametrize("program", ["no-such-program", "/etc", "/etc/passwd", ""])
    def test_an_exec_that_cannot_be_executed_is_refused(
        self, app: AppUnderTest, program: str
    ) -> None:
        machine = app.running()
        refused(app.ask("POST", f"/machines/{machine}/exec", json={"command": [program]}), 400)
        assert app.state(machine) == "started"

    def test_a_program_that_a_nameless_signal_ended_is_seen_to_end(self, app: AppUnderTest) -> None:
        machine = app.create(["sh", "-c", "kill -40 $$"])["id"]
        app.reaches(machine, "stopped")
        assert app.exit_of(machine)["signal"] == 40


class TestHalfDone:
    def test_an_update_whose_lease_is_refused_changes_nothing(self, app: AppUnderTest) -> None:
        machine = app.ended()
        before = app.get(f"/machines/{machine}")
        body = {"config": {**_CONFIG, "env": {"NEW": "1"}}, "lease_ttl": -5, "skip_launch": True}
        refused(app.ask("POST", f"/machines/{machine}", json=body), 400)
        assert app.get(f"/machines/{machine}") == before

    def test_a_machine_whose_lease_is_refused_is_not_made(self, app: AppUnderTest) -> None:
        refused(app.ask("POST", "/machines", json={"config": _CONFIG, "lease_ttl": -5}), 400)
        assert app.get("/machines") == []

    def test_two_creates_with_one_name_at_once_make_one_machine(self, app: AppUnderTest) -> None:
        body = {"name": "only", "config": _CONFIG}
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(app.ask, "POST", "/machines", json=body) for _ in range(8)]
            statuses = sorted(one.result().status_code for one in asked)
        assert statuses == [200] + [409] * 7
        assert len(app.get("/machines")) == 1

    def test_two_apps_with_one_name_at_once_make_one_app(self, app: AppUnderTest) -> None:
        body = {"app_name": f"{app.name}-x", "org_slug": "personal"}
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(app.http.post, "/v1/apps", json=body) for _ in range(8)]
            statuses = sorted(one.result().status_code for one in asked)
        assert statuses == [201] + [422] * 7
        app.http.delete(f"/v1/apps/{app.name}-x")

    def test_no_machine_outlives_the_app_that_was_deleted_while_it_was_made(
        self, app: AppUnderTest
    ) -> None:
        before = _machines(app.http)
        app.running()
        with ThreadPoolExecutor(8) as threads:
            asked = [
                threads.submit(app.ask, "POST", "/machines", json={"config": _CONFIG})
                for _ in range(16)
            ]
            deleted = threads.submit(app.ask, "DELETE", "?force=true")
            assert {one.result().status_code for one in asked} <= {200, 404}
            assert deleted.result().status_code == 202
        assert _machines(app.http) == before

    def test_a_machine_whose_body_arrives_after_its_app_was_deleted_is_refused(
        self, app: AppUnderTest, subject: Subject
    ) -> None:
        before = _machines(app.http)
        body = json.dumps({"config": _CONFIG}).encode()
        with _said(subject, "POST", f"/v1/apps/{app.name}/machines", body[:10], len(body)) as line:
            # Whatever is asked next is answered after the server has read what was said.
            assert app.ask("GET", "").status_code == 200
            assert app.ask("DELETE", "").status_code == 202
            line.sendall(body[10:])
            assert b"404" in line.makefile("rb").readline()
        assert _machines(app.http) == before


def _machines(http: httpx2.Client) -> dict[str, int]:
    """Return how many machines of all apps are in each state."""
    return dict(http.get("/ephemera/status").json()["machines"])


class TestLostClients:
    def test_a_client_that_leaves_in_a_body_leaves_nothing_behind(
        self, app: AppUnderTest, subject: Subject
    ) -> None:
        path = f"/v1/apps/{app.name}/machines"
        for _ in range(20):
            _said(subject, "POST", path, b'{"config": {', 500).close()
        assert app.get("/machines") == []

    def test_clients_that_leave_in_a_wait_harm_nobody(
        self, app: AppUnderTest, subject: Subject
    ) -> None:
        machine = app.running()
        path = f"/v1/apps/{app.name}/machines/{machine}/wait?state=stopped"
        for _ in range(20):
            _said(subject, "GET", path, b"", 0).close()
        app.post(f"/machines/{machine}/stop")
        app.reaches(machine, "stopped")

    def test_a_client_that_leaves_in_a_create_has_made_its_machine_or_not(
        self, app: AppUnderTest, subject: Subject
    ) -> None:
        body = json.dumps({"name": "orphan", "config": _CONFIG}).encode()
        _said(subject, "POST", f"/v1/apps/{app.name}/machines", body, len(body)).close()
        again = app.ask("POST", "/machines", json={"name": "orphan", "config": _CONFIG})
        assert again.status_code in (200, 409)
        assert len(app.get("/machines")) == 1

    @pytest.mark.parametrize(
        "noise",
        [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\0" * 1000, b"GET / HTTP/9.9\r\n\r\n"],
        ids=["tls", "short", "zeros", "future"],
    )
    def test_noise_is_hung_up_on(self, subject: Subject, noise: bytes) -> None:
        with socket.create_connection(_address(subject), timeout=10) as line:
            line.sendall(noise)
            line.shutdown(socket.SHUT_WR)
            answer = line.makefile("rb").read()
        assert not answer or b" 400 " in answer.splitlines()[0]


def _address(subject: Subject) -> tuple[str, int]:
    parts = urlsplit(subject.base_url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def _said(subject: Subject, method: str, path: str, body: bytes, length: int) -> socket.socket:
    """Return a connection on which a request, perhaps not all of it, has been sent."""
    line = socket.create_connection(_address(subject), timeout=10)
    head = [
        f"{method} {path} HTTP/1.1",
        "host: localhost",
        f"authorization: Bearer {subject.token}",
        f"content-length: {length}",
    ]
    line.sendall("\r\n".join([*head, "", ""]).encode() + body)
    return line


def test_the_token_is_nowhere_in_the_log(server: Server) -> None:
    assert server.token not in Path(server.home / "platform.log").read_text()
