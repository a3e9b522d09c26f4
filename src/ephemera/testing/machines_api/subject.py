"""What the suite is run against, and the few steps that most of its tests begin with."""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

#: Longer than the longest wait of the API, which is 60 s.
_ANSWER_WAIT_S = 75
#: Longer than a program that runs takes to get where it is to be.
_READY_WAIT_S = 60
_PAUSE_S = 0.02
#: How often a request is sent to a server that says it came too soon.
_PATIENCE = 20


@dataclass(frozen=True, slots=True)
class Programs:
    """What the suite's machines run, in words that the subject's machines understand."""

    #: Ends at once with this exit code.
    exits: Callable[[int], list[str]]
    #: Runs until a signal ends it.
    runs: list[str]
    #: Runs until SIGKILL ends it. A shell that has to see to that executes another command then,
    #: which is the last of its script.
    ignores_stop: list[str]
    #: Prints these lines and ends with 0.
    prints: Callable[[Sequence[str]], list[str]]
    #: Copies its standard input to its standard output.
    copies_input: list[str]
    #: Is not there.
    not_found: list[str]


#: For machines whose image has a POSIX shell.
SHELL = Programs(
    exits=lambda code: ["sh", "-c", f"exit {code}"],
    runs=["sleep", "600"],
    ignores_stop=["sh", "-c", "trap '' INT TERM; exec sleep 600"],
    prints=lambda lines: ["sh", "-c", "; ".join(f"echo {shlex.quote(line)}" for line in lines)],
    copies_input=["cat"],
    not_found=["/no/such/program"],
)

#: For the machines of `ephemera.platform.drivers.mock`.
MOCK = Programs(
    exits=lambda code: ["exit", str(code)],
    runs=["run"],
    ignores_stop=["ignore-term"],
    prints=lambda lines: ["print", *lines],
    copies_input=["cat"],
    not_found=["no-such-word"],
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A server that is said to speak the Machines API."""

    #: Without `/v1`.
    base_url: str
    token: str
    org: str = "personal"
    image: str = "host"
    programs: Programs = SHELL
    #: The size of its machines, where it is not to be the smallest one; as in a machine config.
    guest: Mapping[str, Any] | None = None
    #: Whether it limits how often one may ask: a request is sent again then, when there is room.
    limited: bool = False

    def connect(self, **headers: str) -> httpx2.Client:
        """Return a client for it; `headers` replace those that are sent with each request."""
        sent = {"authorization": f"Bearer {self.token}", **headers}
        return httpx2.Client(
            base_url=self.base_url,
            headers=sent,
            timeout=_ANSWER_WAIT_S,
            transport=_Patient() if self.limited else None,
            # to read all authorities takes longer than most tests, and nobody shows a certificate
            verify=self.base_url.startswith("https:"),
        )


class _Patient(httpx2.HTTPTransport):
    """Asks again, and later, what was asked too often."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer, which says that the limit is exceeded only if it always is."""
        for _ in range(_PATIENCE):
            response = super().handle_request(request)
            if response.status_code != 429:
                return response
            response.close()
            time.sleep(float(response.headers.get("retry-after", "1")))
        return super().handle_request(request)


class AppUnderTest:
    """An app for one test. Paths are relative to it: `""`, `/machines`, `/machines/ID/wait`.

    Attributes:
        name: The app's name.
        subject: The server that it is on.
        http: For requests to anything else there.
    """

    def __init__(self, subject: Subject, http: httpx2.Client) -> None:
        self.subject = subject
        self.http = http
        self.name = f"contract-{secrets.token_hex(6)}"

    @classmethod
    @contextmanager
    def made(cls, subject: Subject, http: httpx2.Client) -> Iterator[AppUnderTest]:
        """Create an app with a fresh name; at the end it is deleted with all its machines."""
        app = cls(subject, http)
        answered(http.post("/v1/apps", json={"app_name": app.name, "org_slug": subject.org}))
        yield app
        app.ask("DELETE", "", params={"force": "true"})

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """Send a request about this app, and return whatever is answered."""
        return self.http.request(method, f"/v1/apps/{self.name}{path}", **more)

    def get(self, path: str, **more: Any) -> Any:
        """Return the JSON that a GET answers; the test fails unless it is a success."""
        return answered(self.ask("GET", path, **more)).json()

    def post(self, path: str, **more: Any) -> Any:
        """Return the JSON that a POST answers; the test fails unless it is a success."""
        return answered(self.ask("POST", path, **more)).json()

    def config(self, program: Sequence[str], **more: Any) -> dict[str, Any]:
        """Return a machine config which runs `program` once."""
        return {
            "image": self.subject.image,
            "init": {"exec": list(program)},
            "restart": {"policy": "no"},
            **({"guest": self.subject.guest} if self.subject.guest else {}),
            **more,
        }

    def create(self, program: Sequence[str], **config: Any) -> dict[str, Any]:
        """Create a machine and return it as the API answered, most often still `created`."""
        machine: dict[str, Any] = self.post(
            "/machines", json={"config": self.config(program, **config)}
        )
        return machine

    def running(self, **config: Any) -> str:
        """Create a machine that runs until it is stopped; return its id once it is started."""
        return self.created_and("started", self.subject.programs.runs, **config)

    def running_on(self, **config: Any) -> str:
        """Create a machine that runs until it is killed; return its id once it ignores a stop."""
        machine = self.created_and("started", self.subject.programs.ignores_stop, **config)
        deadline = time.monotonic() + _READY_WAIT_S
        while not self._ignores_stop(machine):
            assert time.monotonic() < deadline, "its program does not get ready"
            time.sleep(_PAUSE_S)  # a program that goes on to another is no event
        return machine

    def _ignores_stop(self, machine: str) -> bool:
        """Whether a program has come to where it ignores a stop, as far as processes are shown."""
        answer = self.ask("GET", f"/machines/{machine}/ps")
        last = self.subject.programs.ignores_stop[-1].rpartition("exec ")[2]
        return not answer.is_success or last in [one["command"] for one in answer.json()]

    def ended(self, code: int = 0, **config: Any) -> str:
        """Create a machine whose program ends by itself; return its id once it is stopped."""
        return self.created_and("stopped", self.subject.programs.exits(code), **config)

    def created_and(self, state: str, program: Sequence[str], **config: Any) -> str:
        """Create a machine and return its id once it is in `state`."""
        machine = str(self.create(program, **config)["id"])
        self.reaches(machine, state)
        return machine

    def reaches(self, machine: str, state: str) -> None:
        """Return once the machine is in `state`; the test fails where it does not get there."""
        answered(self.ask("GET", f"/machines/{machine}/wait", params={"state": state}))

    def state(self, machine: str) -> str:
        """Return the state that the machine is in."""
        return str(self.get(f"/machines/{machine}")["state"])

    def exit_of(self, machine: str) -> dict[str, Any]:
        """Return the newest exit event's inner part; the test fails where there is none."""
        events = self.get(f"/machines/{machine}")["events"]
        exits = [event for event in events if event["type"] == "exit"]
        assert exits, f"no exit among {[(event['type'], event['status']) for event in events]}"
        return dict(exits[0]["request"]["exit_event"])


class Contract:
    """What every part of the suite inherits. The fixture `machines_api` is the caller's."""

    @pytest.fixture(scope="class")
    @classmethod
    def http(cls, machines_api: Subject) -> Iterator[httpx2.Client]:
        """The connection that the tests of a class share."""
        with machines_api.connect() as http:
            yield http

    @pytest.fixture
    def app(self, machines_api: Subject, http: httpx2.Client) -> Iterator[AppUnderTest]:
        """An app that is there for one test."""
        with AppUnderTest.made(machines_api, http) as app:
            yield app


def answered(response: httpx2.Response) -> httpx2.Response:
    """Return the response; the test fails with its text unless it is a success."""
    assert response.is_success, f"{response.request.method} {response.request.url}: {response.text}"
    return response


def refused(response: httpx2.Response, *statuses: int) -> str:
    """Return why a request was refused; the test fails unless it was, with one of `statuses`."""
    assert response.status_code in statuses, f"{response.status_code}: {response.text[:500]}"
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["fly-request-id"]
    body = json.loads(response.text)
    why = body.get("error") or body.get("message")
    assert isinstance(why, str), f"nobody can read why: {body}"
    assert why.strip()
    assert "Traceback" not in response.text
    return why
