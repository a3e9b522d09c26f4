"""What `docs/reference/fly-io.md` says that each command asks Fly.io for."""

from __future__ import annotations

import re

from tests.docs.markdown import DOCS, page

PAGE = page(DOCS / "reference" / "fly-io.md")
_ASKED = re.compile("`([A-Z]+ /[^`]*)`")
#: The page has them shorter.
_SHORT = {"{app}": "{app_name}", "{id}": "{machine_id}", "{volume}": "{volume_id}"}


def rows() -> dict[str, str]:
    """Return what is said of each command, by its name: `scale count`."""
    found = re.findall(r"^\| `ephemera ([^`]+)` \| (.*) \|$", PAGE.text, re.MULTILINE)
    return dict(found)


def asked(command: str) -> set[str]:
    """Return what a command asks for: `GET /v1/apps/{app_name}`."""
    return {_whole(shown) for shown in _ASKED.findall(rows()[command])}


def asked_by_releases() -> set[str]:
    """Return what every command asks for that makes a release."""
    section = PAGE.text.partition("### A release")[2].partition("\n#")[0]
    return {_whole(shown) for shown in _ASKED.findall(section)}


def _whole(shown: str) -> str:
    method, _, path = shown.partition(" ")
    for short, long in _SHORT.items():
        path = path.replace(short, long)
    return f"{method} {path if path.startswith('/api/') else f'/v1{path}'}"
