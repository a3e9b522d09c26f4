"""How certificates look on the wire.

What is said of DNS is what is known without asking anybody: names below `localhost` are this
computer's, and of all others this platform does not know where they lead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ephemera.platform.edge import addresses, hostnames
from ephemera.platform.edge.certificates import Page
from ephemera.platform.edge.records import AddressRecord, CertificateRecord
from ephemera.platform.logs import timestamp
from ephemera.platform.records import AppRecord

_ACTIVE, _PENDING = "active", "pending_validation"


def detail(
    record: CertificateRecord, app: AppRecord, held: Sequence[AddressRecord], now: float
) -> dict[str, Any]:
    """Return a host name with all that is known of its certificate.

    Args:
        held: The addresses of the app.
    """
    local = hostnames.is_local(record.hostname)
    return {
        "hostname": record.hostname,
        "status": _status(record, now),
        "configured": _is_good(record, now),
        "acme_requested": False,
        "dns_provider": "",
        "certificates": [_entry(record, now)] if record.fullchain else [],
        "dns_requirements": _requirements(app, held),
        "validation": {
            "dns_configured": local,
            "alpn_configured": False,
            "http_configured": False,
            "ownership_txt_configured": False,
        },
        "validation_errors": [],
    }


def check(
    record: CertificateRecord, app: AppRecord, held: Sequence[AddressRecord], now: float
) -> dict[str, Any]:
    """Return a host name with the records that it has."""
    local = hostnames.is_local(record.hostname)
    here = {"a": [addresses.SHARED_V4], "aaaa": [addresses.V6]}
    records = {
        **(here if local else {"a": [], "aaaa": []}),
        "cname": [],
        "resolved_addresses": [*here["a"], *here["aaaa"]] if local else [],
    }
    shown = detail(record, app, held, now) | {"dns_records": records}
    return shown if local else shown | {"validation_errors": [_not_looked_up(record, now)]}


def removed(
    record: CertificateRecord, app: AppRecord, held: Sequence[AddressRecord], now: float
) -> dict[str, Any]:
    """Return a host name whose certificate was removed."""
    warning = f"{record.hostname} has no certificate any more"
    return detail(record, app, held, now) | {"warning": warning}


def page(found: Page, now: float) -> dict[str, Any]:
    """Return a page of the list of host names."""
    return {
        "certificates": [_summary(record, now) for record in found.rows],
        "next_cursor": found.next_cursor,
        "total_count": found.total,
    }


def _summary(record: CertificateRecord, now: float) -> dict[str, Any]:
    return {
        "hostname": record.hostname,
        "status": _status(record, now),
        "configured": _is_good(record, now),
        "acme_requested": False,
        "acme_alpn_configured": False,
        "acme_dns_configured": False,
        "acme_http_configured": False,
        "ownership_txt_configured": False,
        "has_custom_certificate": bool(record.fullchain),
        "has_fly_certificate": False,
        "dns_provider": "",
        "created_at": timestamp(record.created_at),
        "updated_at": timestamp(record.updated_at),
    }


def _entry(record: CertificateRecord, now: float) -> dict[str, Any]:
    expires_at = timestamp(record.expires_at)
    return {
        "source": "custom",
        "status": _ACTIVE if _is_good(record, now) else _PENDING,
        "issuer": record.issuer,
        "created_at": timestamp(record.updated_at),
        "expires_at": expires_at,
        "issued": [
            {
                "type": record.key_type,
                "certificate_authority": record.issuer,
                "expires_at": expires_at,
            }
        ],
    }


def _requirements(app: AppRecord, held: Sequence[AddressRecord]) -> dict[str, Any]:
    """Return the records by which the host name would lead to the app."""
    public = [one.ip for one in held if one.type in ("v4", "shared_v4", "v6")]
    return {
        "a": [ip for ip in public if "." in ip] or [addresses.SHARED_V4],
        "aaaa": [addresses.V6],
        "cname": f"{app.name}.localhost",
    }


def _not_looked_up(record: CertificateRecord, now: float) -> dict[str, Any]:
    return {
        "code": "dns_not_checked",
        "message": f"where {record.hostname} leads is not known: no DNS server is asked",
        "remediation": "use a name that ends in .localhost, or an entry in /etc/hosts",
        "timestamp": timestamp(now),
    }


def _status(record: CertificateRecord, now: float) -> str:
    if not record.fullchain:
        return _PENDING
    return _ACTIVE if _is_good(record, now) else "expired"


def _is_good(record: CertificateRecord, now: float) -> bool:
    return bool(record.fullchain) and now < record.expires_at
