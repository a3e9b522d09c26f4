"""On which line of a TOML text a key is.

The parser does not say. But what comes before a statement is TOML by itself, so the line of a key
is the first one after which it is there: that holds for dotted keys, arrays of tables, quotes and
values over several lines alike, with no grammar of our own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line, counted from 1, on which the value at `path` begins; 1 if it is nowhere.

    Args:
        text: Whole and right TOML.
        path: Keys, and positions in lists. Where there is one table in place of a list of them,
            its position counts as found. A path that is nowhere is shortened until it is.
    """
    lines = text.splitlines(keepends=True)
    while path and not _holds(tomllib.loads(text), path):
        path = path[:-1]
    if not path:
        return 1
    # Where the statement that is begun by line `high` has ended it is there, by line `low - 1` not.
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high) // 2
        end, held = _whole_from(lines, middle)
        if held is not None and not _holds(held, path):
            low = end + 1
        else:
            high = middle
    return low


def _whole_from(lines: Sequence[str], count: int) -> tuple[int, dict[str, Any] | None]:
    """Return how many lines, `count` at least, are TOML by themselves, and what they hold."""
    for end in range(count, len(lines) + 1):
        try:
            return end, tomllib.loads("".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue
    return len(lines), None


def _holds(tree: Any, path: Sequence[str | int]) -> bool:
    for key in path:
        if isinstance(key, int) and isinstance(tree, dict):
            continue
        try:
            tree = tree[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
