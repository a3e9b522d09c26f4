"""Cursors: where the next page of a list begins, as a text that only the platform reads."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from ephemera.platform import refusals

#: Longer ones are not ours.
_CHARS_MAX = 1024


def written(*place: str | float) -> str:
    """Return a place as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read(text: str, *types: type) -> list[Any]:
    """Return the place that `written` made a cursor of.

    Args:
        types: Those of its parts.

    Raises:
        Refusal: it is not such a cursor.
    """
    place: Any = None
    if len(text) <= _CHARS_MAX and text.isascii():
        try:
            place = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            # Escaped halves of characters are JSON, and no database can be asked for them.
            json.dumps(place, ensure_ascii=False).encode()
        except (binascii.Error, ValueError, RecursionError):
            place = None
    if not isinstance(place, list) or [type(part) for part in place] != list(types):
        raise refusals.invalid(f"cursor {text[:40]!r} is not one of this list")
    return place
