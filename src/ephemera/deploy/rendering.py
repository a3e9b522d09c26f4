"""From templates to the texts of generated files."""

from __future__ import annotations

import json
import shlex
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """Return the text of a template, below `deploy/templates`, with these values in it.

    Values are written as they are; the filters `quoted` (a text of TOML, HCL and JSON), `words`
    (a command as a JSON list) put them into the form that a file needs.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    # What is generated is configuration and code, never HTML.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("ephemera.deploy", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    environment.filters["words"] = lambda command: json.dumps(shlex.split(command))
    return environment
