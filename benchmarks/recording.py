"""Writes what was measured into the table of SPECIFICATION.md, row by row."""

from __future__ import annotations

import datetime
from pathlib import Path

from benchmarks.measuring import Result

SPECIFICATION = Path(__file__).parents[1] / "SPECIFICATION.md"


def record(results: list[Result]) -> None:
    """Replace the last two cells of each result's row: what was measured, and when.

    Raises:
        ValueError: the table has no row for a result.
    """
    lines = SPECIFICATION.read_text().splitlines()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    for result in results:
        row = _row(lines, result.key)
        cells = lines[row].split("|")
        cells[-3], cells[-2] = f" {_measured(result)} ", f" {today} "
        lines[row] = "|".join(cells)
    SPECIFICATION.write_text("\n".join(lines) + "\n")


def _row(lines: list[str], key: str) -> int:
    for number, line in enumerate(lines):
        if line.startswith(f"| {key} |"):
            return number
    raise ValueError(f"SPECIFICATION.md has no row for '{key}'")


def _measured(result: Result) -> str:
    said = f"{result.value:.1f} {result.unit}"
    if result.ratio and result.reference:
        said += f" = {result.ratio:.2g} x {result.compared} ({result.reference:.2f})"
    return said if result.kept else f"{said}, **missed**"
