"""Whatever somebody sends as a config, it is accepted and read again, or refused."""

from __future__ import annotations

import json
from typing import Any, get_args, get_origin

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from ephemera.platform import configs
from ephemera.platform.refusals import Refusal
from ephemera.wire.config import MachineConfig

from .accepting import ABLE

_WORDS = st.sampled_from([
    "", "/", "/a", "a", "host", "tcp", "http", "id", "1s", "-1s", "no", "daily", "aGk=", "..",
    "\0", "a\r\nb", "é", "shared-cpu-1x", "10.0.0.1", "9" * 400 + "h", "x" * 5000,
])  # fmt: skip
_NUMBERS = st.sampled_from([-1, 0, 1, 2, 80, 256, 512, 65535, 65536, 2**31, 2**63, 10**300])
_ANY = st.one_of(st.none(), st.booleans(), _NUMBERS, _WORDS, st.lists(st.none(), max_size=2))
_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: _NUMBERS,
    float: st.floats(),
    str: _WORDS | st.text(max_size=8),
}


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    """Return values of a type of the wire, now and then one of another."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return st.deferred(lambda: _objects(annotation))
    if get_origin(annotation) is list:
        return st.lists(_values(get_args(annotation)[0]), max_size=3)
    if get_origin(annotation) is dict:
        return st.dictionaries(_WORDS, _values(get_args(annotation)[1]), max_size=3)
    if annotation in _LEAVES:
        return _LEAVES[annotation] | _ANY
    if get_args(annotation):
        return st.one_of(*(_values(one) for one in get_args(annotation)))
    return _ANY


def _objects(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: _values(field.annotation) for name, field in model.model_fields.items()}
    return st.fixed_dictionaries({}, optional=fields)


@settings(max_examples=150, deadline=None)
@given(_objects(MachineConfig))
def test_any_config_is_accepted_or_refused(sent: dict[str, Any]) -> None:
    try:
        config = MachineConfig.model_validate({"image": "host", **sent})
        stored = configs.checked(config, ABLE, "able")
    except (ValidationError, Refusal):
        return
    again = MachineConfig.model_validate(json.loads(json.dumps(stored)))
    assert configs.checked(again, ABLE, "able") == stored
