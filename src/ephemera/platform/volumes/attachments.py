"""Which machine has which volume, written in the machine's own transactions.

A machine has its volume from its creation until it is destroyed, whether it runs or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, update

from ephemera.errors import Stale
from ephemera.platform import schema
from ephemera.platform.records import MachineRecord
from ephemera.platform.transactions import Statement, Transaction

_volume = schema.volumes.c


def mounted(config: Mapping[str, Any]) -> str | None:
    """Return the id of the volume that a machine's config mounts; None for none."""
    mounts = config.get("mounts")
    return mounts[0]["volume"] if mounts else None


def attach(transaction: Transaction, machine: MachineRecord) -> None:
    """Give a new machine its volume.

    Raises:
        Stale: another machine has it, or it is gone.
    """
    volume_id = mounted(machine.config)
    if volume_id is None:
        return
    said = {"volume": volume_id, "machine": machine.id, "now": machine.created_at}
    if transaction.run(_ATTACH, said) != 1:
        raise Stale(f"volume {volume_id} is not free any more")


def detach(transaction: Transaction, machine: MachineRecord) -> None:
    """Take its volume from a machine that is destroyed. Repeating is safe."""
    if mounted(machine.config) is not None:
        said = {"machine": machine.id, "now": machine.updated_at}
        transaction.run(_DETACH, said)


_ATTACH = Statement(
    update(schema.volumes)
    .where(_volume.id == bindparam("volume"), _volume.attached_machine_id.is_(None))
    .values(attached_machine_id=bindparam("machine"), updated_at=bindparam("now"))
)
_DETACH = Statement(
    update(schema.volumes)
    .where(_volume.attached_machine_id == bindparam("machine"))
    .values(attached_machine_id=None, updated_at=bindparam("now"))
)
