"""One suite, two subjects: `Client` and `AsyncClient` drive the same scripted server.

Each method of the API is listed once with the request it must send and the answer it must
understand; a method that is in neither list fails the suite.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest

from ephemera.client import AsyncClient, Client
from ephemera.client.attempt import Pace
from ephemera.client.call import Call
from ephemera.client.calls import creation
from ephemera.errors import ConfigError, EphemeraError, NoAnswer, NotFound, ServerFault, Unreachable
from ephemera.wire.models import LogEntry, Machine
from tests.contract.client_cases import CASES
from tests.contract.client_cases.apps import LOG
from tests.contract.client_cases.case import NULL, Case
from tests.contract.client_cases.machines import MACHINE

URL = "http://api.test"
TOKEN = "fm2_s3cret"
GROUPS = tuple(vars(Client(URL, TOKEN)).keys() - {"_link"})
Handler = Callable[[httpx2.Request], httpx2.Response]


@dataclass
class Subject:
    """One of the two clients, used the same way."""

    kind: type[Client] | type[AsyncClient]
    seen: list[httpx2.Request] = field(default_factory=list)

    def call(
        self, handler: Handler, do: Callable[[Any], Any], *, limits: bool | None = None
    ) -> Any:
        """Return what `do(client)` results in; an iterator results in the list of its items."""

        def remembering(request: httpx2.Request) -> httpx2.Response:
            self.seen.append(request)
            return handler(request)

        client = self.kind(
            URL,
            TOKEN,
            limits=limits,
            transport=httpx2.MockTransport(remembering),
            pace=Pace(chance=lambda: 0.0),
        )
        if isinstance(client, Client):
            with client:
                result = do(client)
                return list(result) if isinstance(result, Iterator) else result
        return asyncio.run(self._async(client, do))

    async def _async(self, client: AsyncClient, do: Callable[[Any], Any]) -> Any:
        async with client:
            result = do(client)
            if inspect.isawaitable(result):
                return await result
            return [item async for item in result] if hasattr(result, "__anext__") else result


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return Subject(request.param)


def replying(*answers: tuple[int, object]) -> Handler:
    """Return a server that gives these answers in turn."""
    left = list(answers)

    def handle(request: httpx2.Request) -> httpx2.Response:
        status, body = left.pop(0)
        if body is NULL:
            return httpx2.Response(status, content=b"null")
        if isinstance(body, str):
            return httpx2.Response(status, text=body)
        return httpx2.Response(status, json=body) if body is not None else httpx2.Response(status)

    return handle


FLAT = [
    pytest.param(case, id=f"{name}-{number}")
    for name, cases in CASES.items()
    for number, case in enumerate(cases)
]


@pytest.mark.parametrize("case", FLAT)
def test_a_method_sends_its_request_and_understands_the_answer(
    subject: Subject, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creation, "new_ulid", lambda: "01ME")
    result = subject.call(replying(case.answer), case.do)
    (sent,) = subject.seen
    assert f"{sent.method} {sent.url.raw_path.decode()}" == case.request
    assert (json.loads(sent.content) if sent.content else None) == case.body
    assert sent.headers.get("fly-machine-lease-nonce") == case.nonce
    assert result == case.result


def _methods(client: object) -> dict[str, Callable[..., Any]]:
    return {
        f"{group}.{name}": getattr(getattr(client, group), name)
        for group in GROUPS
        for name in dir(getattr(client, group))
        if not name.startswith("_")
    }


#: These are several requests, and have a suite of their own.
ELSEWHERE = {"leases.hold"}


def test_every_method_is_in_the_suite() -> None:
    assert set(_methods(Client(URL, TOKEN))) == set(CASES) | ELSEWHERE
    assert set(_methods(AsyncClient(URL, TOKEN))) == set(CASES) | ELSEWHERE


#: What is never sent again after a lost answer, as doing it twice is not the same as once.
ONCE_ONLY = {
    "apps.create",
    "machines.create",
    "machines.update",
    "machines.start",
    "machines.restart",
    "machines.suspend",
    "machines.signal",
    "machines.exec",
    "machines.reclaim_memory",
    "leases.acquire",
    "volumes.create",
    "volumes.create_snapshot",
    "secret_keys.generate",
    "certificates.create_acme",
    "certificates.create_custom",
    "ips.assign",
    "tokens.create_deploy",
    "tokens.kms",
}
#: Of these, what can be looked for instead.
LOOKED_FOR = {"apps.create", "machines.create"}


@pytest.mark.parametrize("name", CASES)
def test_a_call_is_sent_again_only_where_that_is_the_same(name: str) -> None:
    client, calls = Client(URL, TOKEN), list[Call[Any]]()
    link = vars(client)["_link"]
    link.run, link.stream = calls.append, lambda stream: calls.append(stream.page(""))
    CASES[name][0].do(client)
    assert calls[0].repeatable == (name not in ONCE_ONLY)
    assert (calls[0].look is not None) == (name in LOOKED_FOR)


def test_both_clients_have_the_same_signatures_and_documentation() -> None:
    blocking, awaited = _methods(Client(URL, TOKEN)), _methods(AsyncClient(URL, TOKEN))
    for name, method in blocking.items():
        assert (
            inspect.signature(method).parameters == inspect.signature(awaited[name]).parameters
        ), name
        assert method.__doc__ == awaited[name].__doc__
        assert method.__doc__


def test_what_is_unknown_survives_reading_and_writing_back(subject: Subject) -> None:
    config = {
        "image": "host",
        "fly_added": {"deep": [1, {"x": None}]},
        "guest": {"cpus": 1, "y": 2},
    }
    subject.call(
        replying((200, {"id": "m1", "config": config}), (200, MACHINE)),
        _read_and_write_back(subject),
    )
    assert json.loads(subject.seen[1].content)["config"]["guest"] == {"cpus": 1, "y": 2}
    assert "fly_added" in json.loads(subject.seen[1].content)["config"]


def _read_and_write_back(subject: Subject) -> Callable[[Any], Any]:
    def blocking(client: Client) -> Machine:
        machine = client.machines.get("demo", "m1")
        assert machine.config
        return client.machines.update("demo", "m1", config=machine.config)

    async def awaited(client: AsyncClient) -> Machine:
        machine = await client.machines.get("demo", "m1")
        assert machine.config
        return await client.machines.update("demo", "m1", config=machine.config)

    return blocking if subject.kind is Client else awaited


def test_every_request_says_who_sends_it(subject: Subject) -> None:
    subject.call(replying((200, MACHINE)), lambda c: c.machines.get("demo", "m1"))
    headers = subject.seen[0].headers
    assert headers["authorization"] == f"FlyV1 {TOKEN}"
    assert re.fullmatch(r"ephemera/\d+\.\d+\.\d+", headers["user-agent"])


def test_logs_are_read_from_their_own_host(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLY_API_BASE_URL", "http://logs.test")
    subject.call(replying((200, LOG)), lambda c: c.logs.page("demo"))
    subject.call(replying((200, MACHINE)), lambda c: c.machines.get("demo", "m1"))
    assert [request.url.host for request in subject.seen] == ["logs.test", "api.test"]


def test_a_body_is_declared_as_json(subject: Subject) -> None:
    subject.call(replying((200, None)), lambda c: c.machines.signal("demo", "m1", "SIGHUP"))
    assert subject.seen[0].headers["content-type"] == "application/json"


def test_a_refusal_raises_its_error(subject: Subject) -> None:
    with pytest.raises(NotFound, match="getting machine 'm1' of app 'demo': machine not found"):
        subject.call(
            replying((404, {"error": "machine not found"})),
            lambda c: c.machines.get("demo", "m1"),
        )


@pytest.mark.parametrize("page", ["<html>\n<p>log in first</p>", "", '{"error": "x"}'])
@pytest.mark.parametrize("name", ["oidc", "kms"])
def test_a_page_is_not_taken_for_a_token(subject: Subject, name: str, page: str) -> None:
    with pytest.raises(ServerFault, match="cannot be read"):
        subject.call(replying((200, page)), lambda c: getattr(c.tokens, name)())


def test_a_token_or_a_nonce_that_is_not_there_is_not_taken_for_one(subject: Subject) -> None:
    with pytest.raises(ServerFault, match="cannot be read"):
        subject.call(replying((200, {})), lambda c: c.tokens.create_deploy("demo"))
    with pytest.raises(ServerFault, match="cannot be read"):
        subject.call(replying((201, {"data": {}})), lambda c: c.leases.acquire("demo", "m", ttl=5))


def test_half_a_character_in_a_query_is_refused(subject: Subject) -> None:
    with pytest.raises(ConfigError, match="cannot be sent"):
        subject.call(replying(), lambda c: c.apps.list(org_slug="\ud800"))


def test_a_time_without_end_may_be_asked_for(subject: Subject) -> None:
    subject.call(replying((200, LOG)), lambda c: c.logs.page("demo", wait=10**12))
    assert subject.seen[0].extensions["timeout"]["read"] <= 24 * 3600


def test_a_lost_create_is_looked_for(subject: Subject) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            raise httpx2.ReadTimeout("timed out", request=request)
        create_id = request.url.params["metadata.ephemera_create_id"]
        config = {"metadata": {"ephemera_create_id": create_id}}
        return httpx2.Response(200, json=[{"id": "m1", "config": config}])

    made = subject.call(handle, lambda c: c.machines.create("demo", config={"image": "host"}))
    assert made.id == "m1"
    assert [request.method for request in subject.seen] == ["POST", "GET"]


def test_a_stream_yields_its_lines_and_then_the_error(subject: Subject) -> None:
    with pytest.raises(NotFound):
        subject.call(replying((200, LOG), (404, {"error": "app not found"})), _follow)
    assert [dict(request.url.params) for request in subject.seen] == [
        {"wait": "20"},
        {"next_token": "t1", "wait": "20"},
    ]


def _follow(client: Any) -> Any:
    return client.logs.follow("demo")


def test_a_stream_may_be_left_early(subject: Subject) -> None:
    def first(client: Client) -> LogEntry:
        return next(client.logs.follow("demo"))

    async def afirst(client: AsyncClient) -> LogEntry:
        return await anext(client.logs.follow("demo"))

    entry = subject.call(replying((200, LOG)), first if subject.kind is Client else afirst)
    assert entry.message == "hi"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the links make, which take no time."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("ephemera.client.links.time.sleep", pauses.append)
    monkeypatch.setattr("ephemera.client.links.asyncio.sleep", sleep)
    return pauses


@pytest.mark.parametrize(("limits", "paused"), [(True, True), (False, False), (None, False)])
def test_limits_are_kept_where_that_is_asked_for(
    subject: Subject, slept: list[float], limits: bool | None, paused: bool
) -> None:
    pages = [(200, {"next_cursor": cursor}) for cursor in ("a", "b", "c", "d", "")]
    subject.call(replying(*pages), lambda c: c.orgs.volumes(), limits=limits)
    assert bool(slept) == paused


def test_limits_are_kept_on_fly_unless_told_otherwise(subject: Subject) -> None:
    kept = [
        vars(vars(vars(subject.kind(url, TOKEN, limits=limits))["_link"])["_steps"])["_limiter"]
        for url in ("https://api.machines.dev", "http://_api.internal:4280", URL)
        for limits in (None, False)
    ]
    assert [limiter is not None for limiter in kept] == [True, False, True, False, False, False]


NEVER_SENT = [httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError]
MAYBE_SENT = [
    httpx2.ReadError,
    httpx2.ReadTimeout,
    httpx2.RemoteProtocolError,
    httpx2.WriteError,
    httpx2.WriteTimeout,
    httpx2.CloseError,
    httpx2.DecodingError,
]


@pytest.mark.parametrize("kind", [*NEVER_SENT, *MAYBE_SENT])
def test_no_exception_of_the_http_library_gets_out(
    subject: Subject, kind: type[httpx2.RequestError]
) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        raise kind("it broke", request=request)

    with pytest.raises(NoAnswer, match="it broke") as caught:
        subject.call(handle, lambda c: c.machines.start("demo", "m1"))
    assert isinstance(caught.value, Unreachable) == (kind in NEVER_SENT)
    assert isinstance(caught.value.__cause__, kind)


def test_a_url_too_long_to_be_sent_is_refused(subject: Subject) -> None:
    with pytest.raises(ConfigError, match="cannot be sent"):
        subject.call(replying(), lambda c: c.machines.list("demo", metadata={"k": "v" * 70_000}))


def test_nothing_that_is_shown_holds_the_token(subject: Subject) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(401, json={"error": f"bad {request.headers['authorization']}"})

    with pytest.raises(EphemeraError) as caught:
        subject.call(handle, lambda c: c.machines.get("demo", "m1"))
    client = subject.kind(URL, TOKEN)
    shown = [str(caught.value), repr(caught.value), repr(client), repr(vars(client)), str(client)]
    assert "s3cret" not in "".join(shown)


def test_a_client_tells_where_it_goes(subject: Subject) -> None:
    assert subject.call(replying(), lambda c: c.locate()) == URL
    assert subject.kind(URL, TOKEN).local is False
    assert subject.kind("http://127.0.0.1:4280", TOKEN).local is True
    assert repr(subject.kind(URL, TOKEN)) == f"{subject.kind.__name__}({URL})"


def test_closing_twice_is_safe(subject: Subject) -> None:
    client = subject.kind(URL, TOKEN)
    for _ in range(2):
        closed = client.close()
        if inspect.isawaitable(closed):
            asyncio.run(_await(closed))


async def _await(awaitable: Any) -> None:
    await awaitable


def test_the_generated_clients_are_current() -> None:
    generator = _generator()
    assert generator.stale(generator.SYNC) == ""
    assert generator.stale(generator.ASYNC) == ""


def _generator() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "generate_client.py"
    spec = importlib.util.spec_from_file_location("generate_client", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
