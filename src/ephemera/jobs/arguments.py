"""What a caller passes, checked before anything is stored: a job in the store can be run."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ephemera.errors import ConfigError
from ephemera.runner.runner import why_not_json

#: As JSON. The arguments travel in the request that makes the machine, which the platform
#: limits to 1 MiB, in base64 and beside the runner.
ARGUMENTS_MAX_BYTES = 512 * 1024


def check_arguments(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """Check that a call fits the function's signature and can be written as JSON.

    Raises:
        ConfigError: it does not; the message names the argument and its type.
    """
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        raise ConfigError(f"{function.__qualname__}() cannot be called so: {error}") from error
    try:
        for name, value in bound.arguments.items():
            _check_argument(function, name, value)
        size = len(json.dumps([list(args), dict(kwargs)], allow_nan=False))
    except RecursionError as error:
        raise ConfigError(
            f"an argument of {function.__qualname__}() contains itself, or is nested too deeply"
        ) from error
    if size > ARGUMENTS_MAX_BYTES:
        raise ConfigError(
            f"the arguments of {function.__qualname__}() are {size} bytes as JSON; "
            f"at most {ARGUMENTS_MAX_BYTES} are allowed",
            hint="store large data elsewhere and pass where it is",
        )


def _check_argument(function: Callable[..., Any], name: str, value: Any) -> None:
    why = why_not_json(value, f"argument '{name}'")
    if why:
        raise ConfigError(
            f"{why}, so {function.__qualname__}() cannot be enqueued with it",
            hint="arguments travel as JSON: text, numbers, booleans, None, lists, dictionaries;"
            " pass a date as its isoformat(), a row of a database as its key",
        )


def check_command(argv: object) -> tuple[str, ...]:
    """Return a command as a tuple of its arguments.

    Raises:
        ConfigError: it is not a non-empty sequence of texts. One text is refused: no shell
            takes it apart, so it would be looked for as a program of that whole name.
    """
    if isinstance(argv, str) or not isinstance(argv, Sequence) or not argv:
        raise ConfigError(
            f"a command is a list such as ['curl', url], not {argv!r}",
            hint="for a shell: ['sh', '-c', '...'], with no text from outside in it",
        )
    for number, part in enumerate(argv):
        if not isinstance(part, str) or "\0" in part:
            raise ConfigError(f"part {number} of the command is {part!r}, not text")
    return tuple(argv)
