"""What is wrong with a `fly.toml`, in the words of its reader: file, line, key, value, wish."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import ErrorDetails

from ephemera.deploy.flytoml.lines import line_of
from ephemera.errors import ConfigError

Path_ = tuple[str | int, ...]

#: What each kind of value is called, by pydantic's word for its lack.
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": 'a list, such as ["app"]',
    "model_type": "a table",
    "tuple_type": "a table, or several",
    "string_type": "a text in quotes",
}
_BOUNDS = {
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of {ge} or more",
    "less_than_equal": "a number of {le:g} or less",
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, and what."""

    path: Path_
    said: str


def from_error(error: ErrorDetails) -> Problem:
    """Return what pydantic found as a problem."""
    path = error["loc"]
    if error["type"] == "missing":
        return Problem(path, f"is missing{_instead(path[-1], error['input'])}")
    context = error.get("ctx", {})
    kind = error["type"]
    if kind == "value_error":
        wish = str(context["error"])
    elif kind == "literal_error":
        wish = f"one of {context['expected']}"
    elif kind in _BOUNDS:
        wish = _BOUNDS[kind].format(**context)
    else:
        wish = _EXPECTED.get(kind, error["msg"].lower())
    return Problem(path, f"is {_shown(error['input'])}; {wish} is needed")


def _instead(key: str | int, section: Any) -> str:
    """Return the key that stands in a section where another one may be meant."""
    there = [str(one) for one in section] if isinstance(section, dict) else []
    near = difflib.get_close_matches(str(key), there, n=1)
    return f"; there is '{near[0]}'" if near else ""


def complaint(file: Path, text: str, problems: Sequence[Problem]) -> ConfigError:
    """Return the error that says all of them, each with its line, in the order of the file."""
    placed = sorted((line_of(text, one.path), n, one) for n, one in enumerate(problems))
    lines = [f"{file}:{line}: {named(one.path)} {one.said}" for line, _, one in placed]
    return ConfigError("\n".join(lines), hint="docs/reference/fly-toml.md lists every key")


def named(path: Path_) -> str:
    """Return a key as it is looked for in the file: `[http_service] internal_port`."""
    *sections, key = path
    if isinstance(key, int):
        return f"[{_dotted(path)}]"
    return f"[{_dotted(sections)}] {key}" if sections else key


def _dotted(parts: Sequence[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
