"""Keys of a `fly.toml` that nothing here knows. They are kept, and warned about."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ephemera.deploy.flytoml.lines import line_of
from ephemera.deploy.flytoml.model import FlyToml
from ephemera.deploy.flytoml.problems import Path_, named


def warnings(toml: FlyToml, path: Path, text: str) -> list[str]:
    """Return a line for each of them, with the key that may have been meant."""
    return [
        f"{path}:{line_of(text, where)}: {named(where)} is not known, and changes nothing{meant}"
        for where, meant in _unknown(toml, ())
    ]


def _unknown(value: Any, where: Path_) -> Iterator[tuple[Path_, str]]:
    match value:
        case BaseModel():
            known = type(value).model_fields
            for key in value.model_extra or ():
                near = difflib.get_close_matches(key, known, n=1)
                yield (*where, key), f"; '{near[0]}' is" if near else ""
            for key in known:
                yield from _unknown(getattr(value, key), (*where, key))
        case tuple():
            for number, one in enumerate(value):
                yield from _unknown(one, (*where, number))
        case dict():
            for key, one in value.items():
                yield from _unknown(one, (*where, key))
