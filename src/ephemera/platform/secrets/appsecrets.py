"""The secrets of apps: variables that the machines of an app find in their environment.

Each write makes the app's next version. A machine sees the version at which it was created or
last updated, whatever was written since.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ephemera.errors import BootFailed, ConfigError
from ephemera.platform.clock import Clock
from ephemera.platform.refusals import invalid
from ephemera.platform.secrets import history, refusals
from ephemera.platform.secrets.records import SecretRecord
from ephemera.platform.secrets.store import SecretStore
from ephemera.platform.secrets.vault import Vault

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_NAME_WORDS = "letters, digits and underscores, no digit first, 255 at most"
#: Linux passes no variable to a program that is longer than 128 KiB, name included. Half of that
#: leaves room for programs that add to it.
VALUE_BYTES_MAX = 64 * 1024
#: All of them together: Linux gives arguments and environment 2 MiB unless told otherwise.
ENVIRONMENT_BYTES_MAX = 1024 * 1024


class Secrets:
    """The secrets of all apps."""

    def __init__(self, store: SecretStore, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock

    def version(self, app_id: str) -> int:
        """Return the app's version: how many times its secrets or secret keys were written."""
        return self._store.version(app_id)

    def insist(self, app_id: str, version: int, field: str) -> None:
        """Let a version pass that the app's secrets have reached.

        Args:
            field: Where the caller gave the version.

        Raises:
            Refusal: they have not.
        """
        if version > self.version(app_id):
            raise refusals.version_not_reached(field, version, self.version(app_id))

    def pinned(self, app_id: str, *, at_least: int, skip: bool) -> int:
        """Return the version for a machine that is created or updated now; 0 for no secrets.

        Raises:
            Refusal: the app's secrets have not reached the version `at_least`.
        """
        if at_least < 0:
            raise invalid(f"min_secrets_version {at_least} is less than 0")
        self.insist(app_id, at_least, "min_secrets_version")
        return 0 if skip else self.version(app_id)

    def all(self, app_id: str) -> list[SecretRecord]:
        """Return an app's secrets as they are now, by name."""
        return history.at(self._store.history(app_id), self.version(app_id))

    def one(self, app_id: str, name: str) -> SecretRecord:
        """Return a secret as it is now.

        Raises:
            Refusal: the app has none of the name.
        """
        for record in self.all(app_id):
            if record.name == name:
                return record
        raise refusals.secret_not_found(name)

    def value(self, record: SecretRecord) -> str:
        """Return what a secret keeps.

        Raises:
            ConfigError: it cannot be opened with this platform's key.
        """
        return self._vault.open(record.sealed or b"", record.bound_to).decode()

    def environment(self, app_id: str, version: int) -> dict[str, str]:
        """Return the variables that an app's secrets were at a version.

        Args:
            version: That of a machine which is not destroyed, or the current one.

        Raises:
            BootFailed: one of them cannot be opened with this platform's key.
        """
        if not version:
            return {}
        records = history.at(self._store.history(app_id), version)
        try:
            return {record.name: self.value(record) for record in records}
        except ConfigError as error:
            raise BootFailed(error.message, hint=error.hint) from error

    def write(self, app_id: str, values: Mapping[str, str | None]) -> int:
        """Set secrets, and remove those whose value is None; return the app's version.

        All of it is one version. Removing what is not there changes nothing.

        Raises:
            Refusal: a name or a value that a secret cannot have; nothing was written.
        """
        known = {record.name: record for record in self.all(app_id)}
        for name, value in values.items():
            _check(name, value)
        changes = {
            name: value for name, value in values.items() if value is not None or name in known
        }
        if not changes:
            return self.version(app_id)
        self._check_room(known, changes)
        version, now = self.version(app_id) + 1, self._clock()
        rows = []
        for name, value in changes.items():
            created_at = known[name].created_at if name in known else now
            row = SecretRecord(app_id, name, version, None, "", created_at, now)
            rows.append(row if value is None else self._sealed(row, value))
        self._store.add_secrets(app_id, version, rows)
        return version

    def remove(self, app_id: str, name: str) -> int:
        """Remove a secret; return the app's version.

        Raises:
            Refusal: the app has none of the name.
        """
        return self.write(app_id, {self.one(app_id, name).name: None})

    def _sealed(self, row: SecretRecord, value: str) -> SecretRecord:
        # Of the app too: nobody learns that two apps have the same secret.
        digest = self._vault.digest(f"{row.app_id}/{value}".encode())
        return replace(row, sealed=self._vault.seal(value.encode(), row.bound_to), digest=digest)

    def _check_room(
        self, known: Mapping[str, SecretRecord], changes: Mapping[str, str | None]
    ) -> None:
        kept = {name: self.value(row) for name, row in known.items() if name not in changes}
        after = kept | {name: value for name, value in changes.items() if value is not None}
        size = sum(len(name) + len(value.encode()) + 2 for name, value in after.items())
        if size > ENVIRONMENT_BYTES_MAX:
            raise refusals.environment_too_long(size, ENVIRONMENT_BYTES_MAX)


def _check(name: str, value: str | None) -> None:
    if not _NAME.fullmatch(name):
        raise refusals.name_invalid(name, _NAME_WORDS)
    if value is None:
        return
    if "\0" in value:
        raise refusals.value_invalid(name, "holds a NUL character")
    if len(value.encode()) > VALUE_BYTES_MAX:
        raise refusals.value_invalid(name, f"has more than {VALUE_BYTES_MAX} bytes")
