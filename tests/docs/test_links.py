"""Nothing in the documentation points into the void, and no page is out of reach."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, Page, page, pages

_ELSEWHERE = re.compile(r"[a-z]+:")


def _target(source: Page, link: str) -> tuple[Path, str]:
    """Return the file and the anchor that a relative link leads to."""
    place, _, anchor = link.partition("#")
    return (source.path.parent / place).resolve() if place else source.path, anchor


def _relative_links(source: Page) -> list[str]:
    return [link for link in source.links() if not _ELSEWHERE.match(link)]


@pytest.mark.parametrize("source", pages(), ids=lambda source: source.name)
def test_every_relative_link_leads_somewhere(source: Page) -> None:
    for link in _relative_links(source):
        target, anchor = _target(source, link)
        assert target.exists(), f"{source.name} links to {link}"
        assert not anchor or anchor in page(target).anchors(), f"{source.name} links to {link}"


def test_the_index_leads_to_every_page() -> None:
    index = page(DOCS / "README.md")
    reached = {_target(index, link)[0] for link in _relative_links(index)}
    decisions = DOCS / "decisions"
    missing = [
        path
        for path in DOCS.rglob("*.md")
        if path != index.path and path not in reached and path.parent != decisions
    ]
    assert missing == []
    assert decisions in reached


def test_decisions_are_numbered_without_gaps() -> None:
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [int(path.name[:4]) for path in decisions]
    assert numbers == list(range(1, len(decisions) + 1))
    for path, number in zip(decisions, numbers, strict=True):
        assert path.read_text().startswith(f"# {number}. "), path.name
