"""What one boot of a machine is made of: its program, files, limits and environment.

Source of the `FLY_*` variables: the API's documentation of a machine's runtime environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ephemera.platform import configs
from ephemera.platform.drivers.base import BootSpec
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.wire.models import MachineConfig

#: Machines without a network of their own are reached at the host's loopback address.
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Reach:
    """How a program in a machine calls this platform.

    On Fly.io a program finds the API at `_api.internal:4280`; where a driver gives no private
    network there is no such name, so the address is in the environment.
    """

    url: str
    home: str

    def environment(self) -> dict[str, str]:
        """Return the variables that tell a program where the platform is."""
        return {"FLY_FLAPS_BASE_URL": self.url, "EPHEMERA_HOME": self.home}


def environment(
    app: AppRecord, machine: MachineRecord, config: MachineConfig, reach: Reach
) -> dict[str, str]:
    """Return the environment of a machine's program: what Fly sets, then what its config says."""
    guest: Mapping[str, object] = machine.config["guest"]
    metadata = config.metadata or {}
    fly = {
        "FLY_APP_NAME": app.name,
        "FLY_MACHINE_ID": machine.id,
        "FLY_ALLOC_ID": machine.id,
        "FLY_MACHINE_VERSION": machine.instance_id,
        "FLY_IMAGE_REF": config.image or "",
        "FLY_REGION": machine.region,
        "PRIMARY_REGION": machine.region,
        "FLY_PRIVATE_IP": LOOPBACK,
        "FLY_PUBLIC_IP": LOOPBACK,
        "FLY_PROCESS_GROUP": metadata.get("fly_process_group", "app"),
        "FLY_VM_MEMORY_MB": str(guest["memory_mb"]),
    }
    return fly | reach.environment() | (config.env or {})


def spec(app: AppRecord, machine: MachineRecord, reach: Reach, log_folder: str) -> BootSpec:
    """Return what the driver is to start for the newest boot of a machine."""
    config = MachineConfig.model_validate(machine.config)
    guest = machine.config["guest"]
    return BootSpec(
        machine_id=machine.id,
        boot=machine.boot,
        app_name=app.name,
        image=config.image or "",
        region=machine.region,
        command=configs.command(config),
        env=environment(app, machine, config, reach),
        files=configs.guest_files(config),
        cpus=guest["cpus"],
        memory_mb=guest["memory_mb"],
        log_folder=log_folder,
    )
