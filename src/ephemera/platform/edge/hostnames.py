"""Host names: what is one, and which names a certificate is good for."""

from __future__ import annotations

import re
from collections.abc import Iterable

import idna

from ephemera.platform import refusals

_CHARS_MAX = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_WILDCARD = "*."
#: Every name below it is this computer, wherever it is asked (RFC 6761).
_LOCAL = "localhost"


def checked(hostname: str) -> str:
    """Return a host name as certificates have it: lower case, other scripts as `xn--`.

    Raises:
        Refusal: not a name that a certificate can be for.
    """
    name = encoded(hostname)
    if name is None:
        raise refusals.hostname_invalid(hostname)
    return name


def encoded(hostname: str) -> str | None:
    """Return a host name as certificates have it, or None for what is not one."""
    star = _WILDCARD if hostname.startswith(_WILDCARD) else ""
    name = hostname.removeprefix(star).removesuffix(".").lower()
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            return None
    labels = name.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or len(star + name) > _CHARS_MAX:
        return None
    return star + name if all(_LABEL.fullmatch(label) for label in labels) else None


def covers(names: Iterable[str], hostname: str) -> bool:
    """Return whether a certificate for some names is good for a host name.

    A wildcard stands for one label, as browsers have it; it is only covered by itself.
    """
    found = {name.lower() for name in names}
    parent = hostname.partition(".")[2]
    return hostname in found or (not hostname.startswith(_WILDCARD) and f"*.{parent}" in found)


def is_local(hostname: str) -> bool:
    """Return whether a host name is this computer's without any DNS server knowing of it."""
    return hostname.endswith(f".{_LOCAL}")
