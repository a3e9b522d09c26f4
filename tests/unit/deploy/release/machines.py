"""Machines of an app, as tests of releases need them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ephemera.deploy.release import labels
from ephemera.wire.config import Mount
from ephemera.wire.models import Machine, MachineConfig
from ephemera.wire.services import Service

WEB = Service(protocol="tcp", internal_port=8080)


def machine(
    name: str,
    *,
    group: str = "app",
    state: str = "started",
    offers: bool = True,
    volume: str | None = None,
    image: str = "old",
    said: Mapping[str, str] | None = None,
) -> Machine:
    """Return a machine of a release; `said` is how it is labelled beside."""
    return Machine(
        id=f"id-{name}",
        name=name,
        state=state,
        region="ams",
        created_at=name,
        config=config(
            image, offers=offers, volume=volume, metadata={labels.GROUP: group, **(said or {})}
        ),
    )


def config(
    image: str = "new", *, offers: bool = True, volume: str | None = None, **fields: Any
) -> MachineConfig:
    """Return the config of a machine."""
    return MachineConfig(
        image=image,
        services=[WEB] if offers else None,
        mounts=[Mount(name="data", volume=volume, path="/data")] if volume else None,
        **fields,
    )
