"""How tokens look on the wire. A token itself is shown to nobody but the one who showed it."""

from __future__ import annotations

from typing import Any

from ephemera.platform.access.authorizing import LETTERS
from ephemera.platform.access.door import Shown
from ephemera.platform.access.principal import OWNER
from ephemera.platform.access.records import TokenRecord
from ephemera.platform.edge.networks import numeric_id
from ephemera.platform.logs import timestamp
from ephemera.platform.records import AppRecord
from ephemera.wire.golang import to_base64


def listed(record: TokenRecord, app: AppRecord) -> dict[str, Any]:
    """Return a token for the list of those that were made."""
    return {
        "id": record.id,
        "app_name": app.name,
        "created_at": timestamp(record.created_at),
        "expires_at": timestamp(record.expires_at),
    }


def of_owner(org_slug: str) -> dict[str, Any]:
    """Return what the platform's own token is, within one organisation: no app is named."""
    return _info(OWNER.token_id, org_slug, [], user=OWNER.lease_owner)


def of_app(token_id: str, app: AppRecord, machine_id: str = "") -> dict[str, Any]:
    """Return what a token for an app is; with a machine, what lets that machine in."""
    return _info(token_id, app.org_slug, [app.name], machine=machine_id)


def _info(
    token_id: str, org_slug: str, apps: list[str], *, user: str = "", machine: str = ""
) -> dict[str, Any]:
    return {
        "token_id": token_id,
        "org_slug": org_slug,
        "organization": org_slug,
        "apps": apps,
        "user": user,
        "source_machine_id": machine,
        "restricted_to_machine": machine,
    }


def verified(shown: Shown, app: AppRecord | None) -> dict[str, Any]:
    """Return a token that was verified, to the one who showed it.

    The document has an object around the caveats, and arrays of numbers for bytes. The real
    API's server and its clients have neither: they are Go, and share one library for it.

    Args:
        app: The one that it is for; None for the platform's own token, which may do everything.
    """
    return {
        "header": f"FlyV1 {shown.token}",
        "permission_token": to_base64(shown.token.encode()),
        "nonce": {"kid": to_base64(shown.principal.token_id.encode()), "proof": False},
        "caveats": _caveats(shown.record, app) if shown.record and app else [],
    }


def _caveats(record: TokenRecord, app: AppRecord) -> list[dict[str, Any]]:
    """Return what a token is restricted to, in the words of Fly's own tokens."""
    apps = {"type": "Apps", "body": {"apps": {str(numeric_id(app.id)): LETTERS}}}
    organisation = {"id": numeric_id(app.org_slug), "mask": LETTERS}
    window = {"not_before": int(record.created_at), "not_after": int(record.expires_at)}
    return [
        {"type": "Organization", "body": organisation},
        {"type": "IfPresent", "body": {"ifs": [apps], "else": "r"}},
        {"type": "ValidityWindow", "body": window},
    ]
