"""The official OpenAPI document of the Machines API, taken apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[1] / "data" / "machines-openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    method: str
    path: str
    #: As the document has it; changing it changes the document.
    definition: dict[str, Any]

    @property
    def name(self) -> str:
        """Method and path, as people say it."""
        return f"{self.method.upper()} {self.path}"

    @property
    def pattern(self) -> str:
        """A regular expression for the paths it is asked at; the longer of two matches too."""
        return "[^/]+".join(re.escape(piece) for piece in re.split("{[^}]+}", self.path))

    @property
    def shape(self) -> str:
        """Its name, whatever the pieces of the path are called."""
        return f"{self.method.upper()} {re.sub('{[^}]+}', '{}', self.path)}"


def load() -> dict[str, Any]:
    """Return the document as it is."""
    document: dict[str, Any] = json.loads(PATH.read_text())
    return document


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    """Yield every operation of a document."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield Operation(method, path, item[method])
