"""The rows of addresses and certificates, on the engine of the platform's store."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Engine, delete, func, insert, select

from ephemera.platform import schema
from ephemera.platform.columns import columns_of, row_of
from ephemera.platform.edge.records import AddressRecord, CertificateRecord


class EdgeStore:
    """Each write is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # addresses

    def addresses(self, app_id: str) -> list[AddressRecord]:
        """Return the addresses of an app, oldest first."""
        return self._addresses(schema.ip_assignments.c.app_id == app_id)

    def addresses_of_type(self, kind: str) -> list[AddressRecord]:
        """Return the addresses of a type, whosever they are, oldest first."""
        return self._addresses(schema.ip_assignments.c.type == kind)

    def add_address(self, address: AddressRecord) -> None:
        """Write down an address that the app does not have yet."""
        with self._engine.begin() as connection:
            connection.execute(insert(schema.ip_assignments), row_of(address))

    def drop_address(self, app_id: str, ip: str) -> bool:
        """Forget an address; return whether the app had it."""
        columns = schema.ip_assignments.c
        this = (columns.app_id == app_id) & (columns.ip == ip)
        with self._engine.begin() as connection:
            return connection.execute(delete(schema.ip_assignments).where(this)).rowcount > 0

    def _addresses(self, which: ColumnElement[bool]) -> list[AddressRecord]:
        table = schema.ip_assignments
        query = select(*columns_of(table, AddressRecord)).where(which)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.created_at, table.c.ip))
            return [AddressRecord(**row) for row in rows.mappings()]

    # certificates

    def certificate(self, hostname: str) -> CertificateRecord | None:
        """Return a host name, whosever it is."""
        found = self._certificates(schema.certificates.c.hostname == hostname, 1)
        return found[0] if found else None

    def certificates(
        self, app_id: str, part: str, after: str, limit: int
    ) -> tuple[list[CertificateRecord], int]:
        """Return host names of an app in their order, and how many there are in all.

        Args:
            part: What they have in them.
            after: The name before the first one.
        """
        columns = schema.certificates.c
        its = (columns.app_id == app_id) & columns.hostname.contains(part, autoescape=True)
        count = select(func.count()).select_from(schema.certificates).where(its)
        with self._engine.connect() as connection:
            total = connection.execute(count).scalar_one()
        return self._certificates(its & (columns.hostname > after), limit), total

    def put_certificate(self, certificate: CertificateRecord) -> None:
        """Write down a host name in the place of what was known of it."""
        with self._engine.begin() as connection:
            connection.execute(_this(certificate.hostname))
            connection.execute(insert(schema.certificates), row_of(certificate))

    def drop_certificate(self, hostname: str) -> None:
        """Forget a host name. Repeating is safe."""
        with self._engine.begin() as connection:
            connection.execute(_this(hostname))

    def _certificates(self, which: ColumnElement[bool], limit: int) -> list[CertificateRecord]:
        table = schema.certificates
        query = select(*columns_of(table, CertificateRecord)).where(which)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.hostname).limit(limit))
            return [CertificateRecord(**row) for row in rows.mappings()]


def _this(hostname: str) -> Any:
    return delete(schema.certificates).where(schema.certificates.c.hostname == hostname)
