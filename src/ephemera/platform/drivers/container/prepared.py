"""What every machine needs, made before it is known which one it is for. Standard library only."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from typing import Any

from ephemera.platform.drivers.container import init, syscalls
from ephemera.platform.drivers.container.init import Init
from ephemera.platform.drivers.container.setup import Setup
from ephemera.platform.network import namespaces, netlink, wiring

#: For what crun is told and says: a few pages of a machine.
_RUN_OPTIONS = "mode=711,size=16m"


class Prepared:
    """Namespaces and a cable that are nobody's yet."""

    def __init__(self, init_: Init, router: socket.socket | None) -> None:
        self.init = init_
        self._router = router
        self._inside = self._open_inside()
        self._pair: wiring.Pair | None = None
        if router is None:
            netlink.ask(self._inside, netlink.change(1))
            return
        network = os.open(self.namespace("net"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            name = f"m{secrets.token_hex(6)}"
            self._pair = wiring.make_pair(router, self._inside, name, network)
        finally:
            os.close(network)

    def namespace(self, kind: str) -> str:
        """Return the path of one of its namespaces, by the name that `/proc` has for its kind."""
        return f"/proc/{self.init.pid}/ns/{kind}"

    def namespaces(self) -> dict[str, str]:
        """Return the paths of all of them, by the names that the OCI has for their kinds."""
        return {oci: self.namespace(kind) for kind, oci in self.init.namespaces.items()}

    def plug(self, plug: Mapping[str, Any] | None) -> None:
        """Connect it with its network, where it has one, and be done with the cable.

        Raises:
            OSError: it was refused.
        """
        if plug is not None and self._pair is not None and self._router is not None:
            wiring.plug(self._router, self._inside, self._pair, dict(plug))
        self._inside.close()
        if self._router is not None:
            self._router.close()

    def _open_inside(self) -> socket.socket:
        home = namespaces.own()
        network = os.open(self.namespace("net"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return wiring.open_in(network, home)
        finally:
            os.close(home)
            os.close(network)


def prepare(setup: Setup) -> Prepared:
    """Leave the mounts of the zygote, and make what a machine needs.

    Raises:
        OSError: the kernel does not let us.
    """
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("tmpfs", setup.places.run, "tmpfs", syscalls.MS_NODEV, _RUN_OPTIONS)
    router = netlink.connect() if setup.router >= 0 else None
    return Prepared(init.make(setup.ids_from), router)
