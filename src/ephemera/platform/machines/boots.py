"""What one boot of a machine is made of: its program, files, limits and environment.

Source of the `FLY_*` variables: the API's documentation of a machine's runtime environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ephemera.errors import BootFailed
from ephemera.platform import configs
from ephemera.platform.drivers.base import BootSpec, GuestMount, Program
from ephemera.platform.edge import networks
from ephemera.platform.proxy.urls import of_app
from ephemera.platform.records import AppRecord, MachineRecord
from ephemera.wire.config import MachineConfig
from ephemera.wire.programs import Process

#: Machines without a network of their own are reached at the host's loopback address.
LOOPBACK, LOOPBACK6 = "127.0.0.1", "::1"
#: Where a program in a machine with a private network finds the API, as on Fly.io.
PRIVATE_URL = "http://_api.internal:4280"
PRIVATE_SOCKET = "/.fly/api"


@dataclass(frozen=True, slots=True)
class Reach:
    """How the platform and the programs in its machines reach each other.

    On Fly.io a program finds the API at `_api.internal:4280`; where a driver gives no private
    network there is no such name, so the address is in the environment.
    """

    url: str
    home: str
    #: Says where the API socket of a machine is, on this computer; empty where it has none.
    socket: Callable[[str], str]
    #: Says whether machines have private networks.
    private: Callable[[], bool]
    #: The plain listener of the proxy; empty where there is none.
    proxy: str = ""
    #: Returns a URL without a name at which an app is found; empty where there is none.
    door: Callable[[AppRecord], str] = lambda _: ""

    def address(self, app: AppRecord, machine_id: str) -> str:
        """Return where the programs of a machine listen, as seen from the platform."""
        return networks.machine_address(app, machine_id) if self.private() else LOOPBACK

    def app_url(self, app: AppRecord) -> str:
        """Return where a program in a machine reaches an app through the proxy, and wakes it."""
        if self.private():
            return f"http://{app.name}.flycast"
        return self.door(app) or of_app(app.name, self.proxy)

    def environment(self, machine_id: str) -> dict[str, str]:
        """Return the variables that tell a program where the platform is."""
        if self.private():
            return {"FLY_FLAPS_BASE_URL": PRIVATE_URL, "EPHEMERA_API_SOCKET": PRIVATE_SOCKET}
        found = {"FLY_FLAPS_BASE_URL": self.url, "EPHEMERA_HOME": self.home}
        socket = self.socket(machine_id)
        return found | ({"EPHEMERA_API_SOCKET": socket} if socket else {})


def environment(
    app: AppRecord, machine: MachineRecord, config: MachineConfig, reach: Reach
) -> dict[str, str]:
    """Return the variables that the platform sets by itself."""
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
        "FLY_PRIVATE_IP": reach.address(app, machine.id),
        "FLY_PUBLIC_IP": reach.address(app, machine.id),
        "FLY_PROCESS_GROUP": metadata.get("fly_process_group", "app"),
        "FLY_VM_MEMORY_MB": str(guest["memory_mb"]),
    }
    url = reach.app_url(app) if config.services else ""
    return fly | ({"EPHEMERA_APP_URL": url} if url else {}) | reach.environment(machine.id)


@dataclass(frozen=True, slots=True, repr=False)
class _Environments:
    """The environments of one boot: one for each of its programs.

    Where two of them set a variable, the last of these has its way: the platform, the app's
    secrets, `config.env`, then of the process `secrets`, `env_from` and `env`. Fly documents no
    order; whoever writes a value into the config means it more than one that is set elsewhere.
    """

    platform: Mapping[str, str]
    secrets: Mapping[str, str]
    config: Mapping[str, str]
    #: What `env_from` can name.
    fields: Mapping[str, str]

    def of(self, where: str, process: Process | None) -> dict[str, str]:
        """Return the environment of a process, or of a machine without processes.

        Raises:
            BootFailed: it wants a secret that there is not.
        """
        if process is None:
            return {**self.platform, **self.secrets, **self.config}
        everybodys = {} if process.ignore_app_secrets else self.secrets
        own = {
            secret.env_var: self._secret(f"{where}.secrets[{number}]", secret.name, secret.env_var)
            for number, secret in enumerate(process.secrets or ())
        }
        own |= {one.env_var: self.fields[one.field_ref] for one in process.env_from or ()}
        return {**self.platform, **everybodys, **self.config, **own, **(process.env or {})}

    def _secret(self, where: str, name: str | None, variable: str) -> str:
        try:
            return self.secrets[name or variable]
        except KeyError:
            raise BootFailed(f"{where}: there is no secret '{name or variable}'") from None


def spec(
    app: AppRecord,
    machine: MachineRecord,
    reach: Reach,
    log_folder: str,
    secrets: Mapping[str, str],
    mounts: Sequence[GuestMount] = (),
) -> BootSpec:
    """Return what the driver is to start for the newest boot of a machine.

    Args:
        secrets: Those of the app, by name, as the machine's version is to see them.
        mounts: Where the data of its volume is.

    Raises:
        BootFailed: the config wants a secret that there is not.
    """
    config = configs.stored(machine.config)
    guest = machine.config["guest"]
    main = config.processes[0] if config.processes else None
    environments = _Environments(
        environment(app, machine, config, reach),
        secrets,
        config.env or {},
        _fields(app, machine, reach),
    )
    private = reach.private()
    return BootSpec(
        machine_id=machine.id,
        boot=machine.boot,
        app_name=app.name,
        image=config.image or "",
        region=machine.region,
        command=configs.command(config),
        env=environments.of("config.processes[0]", main),
        files=configs.guest_files(config, secrets),
        cpus=guest["cpus"],
        memory_mb=guest["memory_mb"],
        log_folder=log_folder,
        mounts=mounts,
        beside=[
            Program(
                command,
                environments.of(f"config.processes[{number}]", process),
                process.user or "",
            )
            for number, (process, command) in enumerate(configs.commands_beside(config), start=1)
        ],
        after_entrypoint=configs.keeps_entrypoint(config),
        user=(main and main.user) or "",
        tty=bool(config.init and config.init.tty),
        swap_mb=(config.init and config.init.swap_size_mb) or 0,
        version=machine.instance_id,
        network=networks.prefix(app) if private else "",
        address=reach.address(app, machine.id) if private else "",
        outside=app.outside,
        api_socket=reach.socket(machine.id),
    )


def _fields(app: AppRecord, machine: MachineRecord, reach: Reach) -> dict[str, str]:
    """Return what `env_from` can put into a variable, by the names of its `field_ref`."""
    return {
        "id": machine.id,
        "version": machine.instance_id,
        "app_name": app.name,
        "private_ip": reach.address(app, machine.id),
        "region": machine.region,
        "image": machine.config["image"],
    }
