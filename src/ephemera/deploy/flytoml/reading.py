"""Reading a `fly.toml`, and refusing one that is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ephemera.deploy.flytoml import consistency, problems, unknown
from ephemera.deploy.flytoml.model import FlyToml
from ephemera.errors import ConfigError

#: Far more than any file that a person or a program wrote; where lines are is looked for in it.
_CHARS_MAX = 200_000
#: How the parser says where it was: `Invalid value (at line 3, column 5)`.
_PLACE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")
#: How Python shows the name of a section, and each part of it.
_TABLE, _NAME = re.compile(r"\((?:'[^']+',? ?)+\)"), re.compile(r"'([^']+)'")

Warn = Callable[[str], object]


def load(path: Path, *, warn: Warn | None = None) -> FlyToml:
    """Return what a `fly.toml` says.

    Args:
        path: The file.
        warn: Is called with a line for every key that nothing here knows. Such keys are kept.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or says what makes no sense. All that
            is wrong with it is said at once, each with file, line and key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text in UTF-8") from None
    except OSError as error:
        hint = "`ephemera launch` writes one" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint=hint) from error
    return parse(text, path, warn=warn)


def parse(text: str, path: Path, *, warn: Warn | None = None) -> FlyToml:
    """Return what the text of a `fly.toml` says; `path` is where it is, or would be.

    Raises:
        ConfigError: as `load`.
    """
    if len(text) > _CHARS_MAX:
        raise ConfigError(f"{path} is longer than {_CHARS_MAX} characters")
    text = text.removeprefix("\ufeff")  # as editors of Windows begin a file
    tree = _tree(text, path)
    try:
        toml = FlyToml.model_validate(tree)
    except ValidationError as error:
        found = [problems.from_error(one) for one in error.errors()]
        raise problems.complaint(path, text, found) from None
    wrong = consistency.problems(toml)
    if wrong:
        raise problems.complaint(path, text, wrong)
    if warn:
        for line in unknown.warnings(toml, path, text):
            warn(line)
    object.__setattr__(toml, "_path", path)
    return toml


def _tree(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _PLACE.fullmatch(str(error))
        said = found[1] if found else str(error)
        said = _TABLE.sub(lambda names: f"[{'.'.join(_NAME.findall(names[0]))}]", said)
        line = (found and found[2]) or len(text.splitlines())
        column = f":{found[3]}" if found and found[3] else ""
        message = f"{path}:{line}{column}: {said[:1].lower()}{said[1:]}"
        raise ConfigError(message, hint="the file is not TOML: https://toml.io") from None
    except RecursionError:
        raise ConfigError(f"{path} is nested too deeply") from None
