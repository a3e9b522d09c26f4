"""Bodies that nobody thought of: whatever JSON comes, the answer is never a 5xx."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ephemera.testing.machines_api import AppUnderTest, refused

#: More of them: EPHEMERA_FUZZ_EXAMPLES=5000.
_EXAMPLES = int(os.environ.get("EPHEMERA_FUZZ_EXAMPLES", "40"))
_fuzz = settings(
    max_examples=_EXAMPLES,
    deadline=None,
    derandomize=_EXAMPLES == 40,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

_texts = st.text(max_size=20) | st.sampled_from(
    ["", "\0", "10s", "-1s", "1e9h", "SIGKILL", "SIGRTMIN+1", "host", "no", "../..", "/", "\u202e"]
)
_numbers = st.integers() | st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400])
_plain = st.none() | st.booleans() | _numbers | st.floats(allow_nan=False) | _texts
_json = st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=8,
)


def _some_of(**fields: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    """Return objects with some of the fields, each right, or any JSON in its place."""
    return st.fixed_dictionaries({}, optional={k: v | _json for k, v in fields.items()})


# Nothing here starts a program: what is executed is not what is put to the test.
_config = _some_of(
    image=st.just("host"),
    env=st.dictionaries(_texts, _texts, max_size=3),
    guest=_some_of(cpu_kind=_texts, cpus=_numbers, memory_mb=_numbers),
    init=_some_of(exec=st.lists(_texts), cmd=st.lists(_texts), entrypoint=st.lists(_texts)),
    restart=_some_of(policy=_texts, max_retries=_numbers),
    stop_config=_some_of(signal=_texts, timeout=_numbers | _texts | st.floats()),
    files=st.lists(_some_of(guest_path=_texts, raw_value=_texts, mode=_numbers), max_size=2),
    metadata=st.dictionaries(_texts, _texts, max_size=3),
    size=_texts,
)
_machine = _some_of(
    config=_config, name=_texts, region=_texts, lease_ttl=_numbers, current_version=_texts
).map(lambda body: {**body, "skip_launch": True})


@pytest.fixture
def machine(app: AppUnderTest) -> str:
    return app.ended()


def _never_fails(app: AppUnderTest, method: str, path: str, body: Any) -> None:
    sent = json.dumps(body).replace("NaN", "0").replace("Infinity", "1")
    answer = app.ask(method, path, content=sent)
    assert answer.is_success or refused(answer, *range(400, 500)), sent


@_fuzz
@given(body=_machine | _json)
def test_create(app: AppUnderTest, body: Any) -> None:
    if isinstance(body, dict):
        body["skip_launch"] = True
    _never_fails(app, "POST", "/machines", body)


@_fuzz
@given(body=_machine | _json)
def test_update(app: AppUnderTest, machine: str, body: Any) -> None:
    _never_fails(app, "POST", f"/machines/{machine}", body)


_stop = _some_of(signal=_texts | _numbers, timeout=_numbers | _texts | st.floats(), id=_texts)
_exec = _some_of(cmd=_texts, stdin=_texts, timeout=_numbers, container=_texts)
_lease = _some_of(ttl=_numbers, description=_texts)
_metadata = _some_of(
    metadata=st.dictionaries(_texts, st.none() | _texts), machine_version=_texts, updated_at=_texts
)


@pytest.mark.parametrize(
    ("method", "path", "bodies"),
    [
        ("POST", "/stop", lambda: _stop | _json),
        ("POST", "/exec", lambda: _exec | _json),
        ("POST", "/signal", lambda: _some_of(signal=_texts | _numbers) | _json),
        ("POST", "/lease", lambda: _lease | _json),
        ("PUT", "/metadata", lambda: _metadata | _json),
        ("PATCH", "/metadata", lambda: _metadata | _json),
        ("POST", "/metadata/k", lambda: _some_of(value=_texts) | _json),
    ],
)
def test_requests_about_a_machine(
    app: AppUnderTest,
    machine: str,
    method: str,
    path: str,
    bodies: Callable[[], SearchStrategy[Any]],
) -> None:
    @_fuzz
    @given(body=bodies())
    def hold(body: Any) -> None:
        _never_fails(app, method, f"/machines/{machine}{path}", body)

    hold()
    assert app.get(f"/machines/{machine}")["id"] == machine
    assert isinstance(app.get("/machines"), list)


@_fuzz
@given(body=_some_of(name=_texts, app_name=_texts, org_slug=_texts, network=_texts) | _json)
def test_create_app(app: AppUnderTest, body: Any) -> None:
    sent = json.dumps(body).replace("NaN", "0").replace("Infinity", "1")
    answer = app.http.post("/v1/apps", content=sent)
    if answer.is_success and isinstance(body, dict):
        app.http.delete(f"/v1/apps/{body.get('name') or body.get('app_name')}")
    else:
        refused(answer, *range(400, 500))
