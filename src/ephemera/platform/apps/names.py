"""What apps, organisations and private networks may be called."""

from __future__ import annotations

import re

from ephemera.platform import refusals

_APP = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
#: As long as the store has room for. Organisations are parts of paths.
_ORG_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


def check_app(name: str) -> None:
    """Return if an app can be called so.

    Raises:
        Refusal: it cannot.
    """
    if not _APP.fullmatch(name):
        raise refusals.app_name_invalid()


def check_org_slug(slug: str) -> None:
    """Return if an organisation can be called so.

    Raises:
        Refusal: it cannot.
    """
    if not _ORG_SLUG.fullmatch(slug):
        raise refusals.invalid(f"org_slug {slug[:80]!r} is not that of an organisation")


def check_network(name: str) -> None:
    """Return if a private network can be called so; empty is the default one.

    Raises:
        Refusal: it cannot.
    """
    if name and not _NETWORK.fullmatch(name):
        raise refusals.invalid(f"network {name[:80]!r} is not the name of one")
