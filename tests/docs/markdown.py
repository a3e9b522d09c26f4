"""The pages of the documentation, taken apart: code blocks, links, anchors, prose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^\s*```(\w*)\s*$")
_COMMENT = re.compile(r"^\s*<!-- (.+) -->\s*$")
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
#: What GitHub leaves out of a heading to make its anchor.
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str
    text: str
    #: Of its first line of code, from 1.
    line: int
    #: What a comment directly above it says about it, such as `not run: ...`.
    note: str


@dataclass(frozen=True)
class Page:
    """A Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Where it is in the repository."""
        return str(self.path.relative_to(ROOT))

    def blocks(self) -> Iterator[Block]:
        """Yield the fenced blocks, in order."""
        lines = self.text.splitlines()
        begin: int | None = None
        for number, line in enumerate(lines):
            fence = _FENCE.match(line)
            if fence is None:
                continue
            if begin is None:
                begin = number
                continue
            opening = _FENCE.match(lines[begin])
            assert opening, self.name
            code = "\n".join(lines[begin + 1 : number]) + "\n"
            yield Block(opening[1], code, begin + 2, _note(lines, begin))
            begin = None
        assert begin is None, f"{self.name}:{begin} opens a block that nothing closes"

    @property
    def prose(self) -> str:
        """The text without its blocks."""
        kept, inside = list[str](), False
        for line in self.text.splitlines():
            fence = _FENCE.match(line) is not None
            inside ^= fence
            if not inside and not fence:
                kept.append(line)
        return "\n".join(kept)

    def code(self) -> list[str]:
        """Return the pieces of code within the prose."""
        return _CODE.findall(self.prose)

    def links(self) -> list[str]:
        """Return where its links lead."""
        return _LINK.findall(_CODE.sub("", self.prose))

    def anchors(self) -> set[str]:
        """Return the anchors of its headings, as GitHub makes them."""
        headings = (_LINK.sub(_linked_text, one) for one in _HEADING.findall(self.prose))
        return {_NOT_IN_ANCHOR.sub("", one.lower()).replace(" ", "-") for one in headings}

    def section(self, heading: str) -> str:
        """Return what is below a heading, up to the next one of any level."""
        _, found, rest = self.text.partition(f"\n{heading}\n")
        assert found, f"{self.name} has no heading {heading!r}"
        return rest.partition("\n#")[0]

    def first_column(self, heading: str) -> set[str]:
        """Return the pieces of code in the first column of the tables below a heading."""
        rows = (line for line in self.section(heading).splitlines() if line.startswith("|"))
        return {code for row in rows for code in _CODE.findall(row.split("|")[1])}


def pages() -> list[Page]:
    """Return every page of the project."""
    paths = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
    return [page(path) for path in paths]


def page(path: Path) -> Page:
    """Return a page."""
    return Page(path, path.read_text())


def _note(lines: list[str], fence: int) -> str:
    found = _COMMENT.match(lines[fence - 1]) if fence else None
    return found[1] if found else ""


def _linked_text(link: re.Match[str]) -> str:
    return link[0][1:].partition("]")[0]
