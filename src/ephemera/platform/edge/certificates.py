"""The certificates of host names: uploaded, kept with their key locked away, shown, removed.

Certificates are not asked for from any authority: this computer is most often not reachable from
outside, and nobody could prove to an authority whose name it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import Field

from ephemera.platform import cursors, refusals
from ephemera.platform.clock import Clock
from ephemera.platform.edge import hostnames
from ephemera.platform.edge.records import CertificateRecord
from ephemera.platform.edge.store import EdgeStore
from ephemera.platform.records import AppRecord
from ephemera.platform.secrets.vault import Vault
from ephemera.wire.resource import Wire

#: Source: the API's document.
PAGE_ROWS, PAGE_ROWS_MAX = 25, 500


class UploadCertificate(Wire):
    """A certificate of the caller's own, in PEM form."""

    hostname: str
    fullchain: str
    private_key: str = Field(repr=False)


class RequestCertificate(Wire):
    """A certificate that an authority is to issue."""

    hostname: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some host names of an app."""

    rows: list[CertificateRecord]
    next_cursor: str
    total: int


class Certificates:
    """The host names of all apps.

    Args:
        lives: Says whether there is an app with an id: a deleted one holds no host name.
    """

    def __init__(
        self, store: EdgeStore, vault: Vault, clock: Clock, lives: Callable[[str], bool]
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._lives = lives
        #: Counts the changes of host names and certificates.
        self.version = 0

    def holder(self, hostname: str) -> str:
        """Return the id of the app that has a host name, itself or by a wildcard; empty if none."""
        found = self._serving(hostname)
        return found.app_id if found else ""

    def chain(self, hostname: str) -> tuple[str, bytes] | None:
        """Return the certificates that a host name is served with, and the key to the first.

        Both in PEM form. None where the name has none that is good now.
        """
        found = self._serving(hostname)
        if found is None or not found.fullchain or found.expires_at <= self._clock():
            return None
        return found.fullchain, self._vault.open(found.sealed_key, _sealed_for(found))

    def _serving(self, hostname: str) -> CertificateRecord | None:
        for name in (hostname, f"*.{hostname.partition('.')[2]}"):
            found = self._store.certificate(name)
            if found and self._lives(found.app_id):
                return found
        return None

    async def upload(self, app: AppRecord, given: UploadCertificate) -> CertificateRecord:
        """Keep a certificate for a host name, in the place of an older one. Repeating is safe.

        Raises:
            Refusal: it is not good for the host name, or another app has the host name.
        """
        # Imported late, for the library it needs: few platforms have certificates of others.
        from ephemera.platform.edge import chains

        hostname = hostnames.checked(given.hostname)
        now = self._clock()
        chain = await asyncio.to_thread(
            chains.read, given.fullchain, given.private_key, hostname, now
        )
        older = self._store.certificate(hostname)  # looked at now: the thread took its time
        if older and older.app_id != app.id and self._lives(older.app_id):
            raise refusals.hostname_taken(hostname)
        if not self._lives(app.id):
            raise refusals.app_not_found()
        kept = CertificateRecord(
            hostname=hostname,
            app_id=app.id,
            fullchain=chain.fullchain,
            sealed_key=b"",
            issuer=chain.issuer,
            key_type=chain.key_type,
            expires_at=chain.expires_at,
            created_at=older.created_at if older and older.app_id == app.id else now,
            updated_at=now,
        )
        kept = replace(kept, sealed_key=self._vault.seal(chain.key, _sealed_for(kept)))
        self._put(kept)
        return kept

    def get(self, app: AppRecord, hostname: str) -> CertificateRecord:
        """Return a host name of an app.

        Raises:
            Refusal: the app does not have it.
        """
        name = hostnames.encoded(hostname)
        found = self._store.certificate(name) if name else None
        if found is None or found.app_id != app.id:
            raise refusals.certificate_not_found(hostname)
        return found

    def page(self, app: AppRecord, part: str, cursor: str, limit: int) -> Page:
        """Return host names of an app, in their order.

        Args:
            part: What they have in them; in any case of letters.
            cursor: That of the page before; empty for the first.

        Raises:
            Refusal: the cursor is not one of this list.
        """
        after = cursors.read(cursor, str)[0] if cursor else ""
        found, total = self._store.certificates(app.id, part.lower(), after, limit + 1)
        rows = found[:limit]
        more = len(found) > limit
        return Page(rows, cursors.written(rows[-1].hostname) if more else "", total)

    def remove_custom(self, app: AppRecord, hostname: str) -> CertificateRecord:
        """Forget the certificate of a host name, and keep the name.

        Raises:
            Refusal: the app does not have it, or it has no certificate.
        """
        held = self.get(app, hostname)
        if not held.fullchain:
            raise refusals.certificate_not_found(hostname)
        bare = replace(
            held, fullchain="", sealed_key=b"", issuer="", key_type="", updated_at=self._clock()
        )
        self._put(bare)
        return bare

    def remove(self, app: AppRecord, hostname: str) -> None:
        """Forget a host name with its certificate.

        Raises:
            Refusal: the app does not have it.
        """
        self._store.drop_certificate(self.get(app, hostname).hostname)
        self.version += 1

    def _put(self, certificate: CertificateRecord) -> None:
        self._store.put_certificate(certificate)
        self.version += 1


def _sealed_for(certificate: CertificateRecord) -> str:
    return f"certificate/{certificate.app_id}/{certificate.hostname}"
