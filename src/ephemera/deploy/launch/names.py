"""What an app may be called, and names for those that nobody named.

Source: Fly.io's API takes lower-case letters, digits and dashes, under 63 of them.
"""

from __future__ import annotations

import re
import secrets
import unicodedata

from ephemera.errors import ConfigError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_CHARS_MAX = 50
#: No vowels, so that no word comes of it, and nothing that looks like another.
_LETTERS = "bcdfghjkmnpqrstvwxz23456789"
_SUFFIX_CHARS = 6


def check_name(name: str) -> str:
    """Return a name if an app can have it.

    Raises:
        ConfigError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"an app cannot be called '{name}'",
            hint="up to 63 lower-case letters, digits and dashes, with no dash at either end",
        )
    return name


def name_of(folder: str) -> str:
    """Return a name of an app that is like that of a folder; a generated one where none is."""
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_CHARS_MAX].strip("-")
    return name or another("app")


def another(name: str) -> str:
    """Return the name with a few random letters, for one that is taken."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX_CHARS))
    return f"{name[:_CHARS_MAX].rstrip('-')}-{letters}"
