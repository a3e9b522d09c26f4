"""What the scripts that write pages of the reference share: `#:` comments, and `--check`."""

from __future__ import annotations

import ast
import difflib
import inspect
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"


def settle(name: str, fresh: str) -> int:
    """Write a page of the reference; with `--check` print what is stale instead.

    Returns:
        The exit status: 1 if `--check` was given and the page is not current.
    """
    target = REFERENCE / name
    if "--check" not in sys.argv[1:]:
        target.write_text(fresh)
        return 0
    kept = target.read_text() if target.exists() else ""
    print(
        *difflib.unified_diff(kept.splitlines(), fresh.splitlines(), name, "fresh", lineterm=""),
        sep="\n",
        end="",
    )
    return 0 if kept == fresh else 1


def meanings(kind: type[Enum]) -> dict[str, str]:
    """Return the `#:` comment of each member of an enumeration, by the member's value.

    Raises:
        SystemExit: a member has none.
    """
    lines, first = inspect.getsourcelines(kind)
    body = ast.parse("".join(lines)).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for node in body.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            member = kind[node.targets[0].id]
            found[member.value] = _comment_above(lines, node.lineno - 1)
            if not found[member.value]:
                raise SystemExit(f"{kind.__name__}.{member.name} has no #: comment, line {first}")
    return found


def _comment_above(lines: list[str], index: int) -> str:
    """Return the `#:` lines that end just above a line, as one text."""
    start = index
    while start and lines[start - 1].lstrip().startswith("#:"):
        start -= 1
    return " ".join(line.lstrip().removeprefix("#:").strip() for line in lines[start:index])


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    marks = ("---",) * len(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *rows)) + "\n"
