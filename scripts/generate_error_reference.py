"""Writes docs/reference/errors.md from the classes in ephemera.errors.

python scripts/generate_error_reference.py           write it
python scripts/generate_error_reference.py --check   exit 1 if it is stale
"""

from __future__ import annotations

import inspect
import re
import sys

from ephemera import errors
from ephemera.client.refusals import TABLE, Row
from ephemera.jobs.failures import EXCEPTIONS
from ephemera.jobs.outcome import Cause
from pages import meanings, settle, table

HEAD = """\
<!-- Written by scripts/generate_error_reference.py from src/ephemera/errors.py. Change that. -->

# Errors

Everything that Ephemera raises on purpose is an `EphemeraError`, and all of it is in
`ephemera.errors`. The class says whose fault it is, the message what happened, with the names in
it, and `.hint` what to try next. No message holds a token or a header.

Besides these there are two of Python's own: `TimeoutError`, where `job.wait(timeout=...)` or
`job.result(timeout=...)` was over before the job was, and `LookupError`, where `Job.get` finds no
such job.
"""

CAUSES = """\
## Which cause is raised as which error

`job.outcome.cause` is one of these words. `job.result()` raises the error beside it.
"""

ANSWERS = """\
## Which answer of the API is which error

The status alone does not say what is wrong: Fly.io tells of a full host as 400, 403, 409, 412 or
422. So the client reads the text, and the `status` word of the body where there is one. The first
of these rows that fits decides. Any other 4xx is `Invalid`, and everything else `ServerFault`.
Going on to the next region of `machines.create(region=[...])` is decided by the same table: it is
done for `NoCapacity`, and for nothing else.
"""

#: The heading of a list in a docstring, and one of its entries.
_LIST = re.compile(r"^(Args|Attributes):$")
_ENTRY = re.compile(r"^    (\w+): (.*)$")


def main() -> int:
    """Write or check the page; return the exit status."""
    drawing = (errors.__doc__ or "").split("```")[1].strip()
    sections = [_section(kind) for kind in kinds()]
    tree = f"```text\n{drawing}\n```\n"
    page = [HEAD, tree, ANSWERS, _answers(), CAUSES, _causes(), *sections]
    return settle("errors.md", "\n".join(page))


def kinds() -> list[type[Exception]]:
    """Return the classes in the order in which they are defined."""
    return [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, errors.EphemeraError)
    ]


def _causes() -> str:
    raised = {cause: kind.__name__ for cause, kind in EXCEPTIONS.items()}
    rows = [
        (f"`{cause}`", meaning, _linked(raised[Cause(cause)]) if Cause(cause) in raised else "")
        for cause, meaning in meanings(Cause).items()
    ]
    return table(("Cause", "Means", "Raised as"), rows)


def _answers() -> str:
    rows = [(_statuses(row), _says(row), _linked(row.kind.__name__), _hint(row)) for row in TABLE]
    return table(("Status", "Says", "Raised as", "Hint"), rows)


def _statuses(row: Row) -> str:
    return ", ".join(str(status) for status in sorted(row.statuses)) or "any"


def _says(row: Row) -> str:
    if row.code:
        return f"`status` `{row.code}`"
    return ", ".join(f"`{_plain(text)}`" for text in row.texts)


def _hint(row: Row) -> str:
    return row.hint.replace("{1}", "...")


def _plain(pattern: str) -> str:
    """Return a regular expression as one would read it aloud."""
    return re.sub(r":\?|\\b", "", re.sub(r"\(\\S\+\)|\.\*", "...", pattern))


def _linked(name: str) -> str:
    return f"[`{name}`](#{name.lower()})"


def _section(kind: type[Exception]) -> str:
    above = kind.__base__
    kin = f" A kind of {_linked(above.__name__)}." if above and above is not Exception else ""
    first, _, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n")
    said = f"{first}{kin}\n"
    return f"## {kind.__name__}\n\n{said}" + "".join(f"{line}\n" for line in _listed(rest))


def _listed(rest: str) -> list[str]:
    """Return what follows a docstring's first line, with its lists as Markdown has them."""
    lines: list[str] = []
    for line in rest.splitlines():
        entry = _ENTRY.match(line)
        if _LIST.match(line):
            continue
        lines.append(f"- `.{entry[1]}`: {entry[2]}" if entry else line.replace("        ", "  ", 1))
    return lines


if __name__ == "__main__":
    sys.exit(main())
