"""What can be wrong with a layer, or with unpacking it here."""

from __future__ import annotations

import errno
import os

#: Of a name from an archive that is shown in a message.
_SHOWN_MAX = 150


class BadLayer(Exception):
    """The layer cannot be unpacked, here or elsewhere. The message names the entry."""


class NoRoom(Exception):
    """The disk, or what may be used of it, is full."""


def failed(name: str, error: Exception) -> BadLayer | NoRoom:
    """Return what it means that an entry could not be made."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT):
        return NoRoom(os.strerror(number or 0).lower())
    why = os.strerror(number).lower() if number else str(error)
    return BadLayer(f"{shown(name)} cannot be made: {why}")


def shown(name: str) -> str:
    """Return a name from an archive as it may be printed: short, and nothing but text."""
    text = name if len(name) <= _SHOWN_MAX else f"{name[:100]}...{name[-40:]}"
    return f"'{text}'" if text.isprintable() else ascii(text)
