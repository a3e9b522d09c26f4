"""Which of the things that an app's secrets once were are still of use.

A machine keeps the version of its app's secrets with which it was created or updated, so an older
value lives for as long as a machine may boot with it, and no longer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

from ephemera.platform.secrets.records import SecretRecord


def at(history: Iterable[SecretRecord], version: int) -> list[SecretRecord]:
    """Return the secrets that an app had at a version, by name.

    Args:
        history: By name, and for each name by version.
    """
    found = (_newest(rows, version) for _, rows in _by_name(history))
    return [row for row in found if row and row.sealed is not None]


def superfluous(history: Iterable[SecretRecord], wanted: Collection[int]) -> list[SecretRecord]:
    """Return the rows without which every wanted version is still the same.

    Args:
        history: By name, and for each name by version.
    """
    return [row for _, rows in _by_name(history) for row in _unseen(rows, wanted)]


def _by_name(
    history: Iterable[SecretRecord],
) -> Iterable[tuple[str, Sequence[SecretRecord]]]:
    for name, rows in groupby(history, lambda row: row.name):
        yield name, list(rows)


def _newest(rows: Sequence[SecretRecord], version: int) -> SecretRecord | None:
    return next((row for row in reversed(rows) if row.version <= version), None)


def _unseen(rows: Sequence[SecretRecord], wanted: Collection[int]) -> list[SecretRecord]:
    seen = {row.version for row in (_newest(rows, version) for version in wanted) if row}
    for row in rows:  # a removal with nothing left before it says nothing
        if row.version in seen and row.sealed is not None:
            break
        seen.discard(row.version)
    return [row for row in rows if row.version not in seen]
