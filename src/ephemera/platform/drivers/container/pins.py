"""Which image each machine has: a reference may mean another one tomorrow.

A machine's boots of one version are of the image that its first boot found. It is written into
the machine's folder, beside what its boots leave, and read again when a server starts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from ephemera.platform.drivers.monitoring.folder import make_folder

_FILE = "image.json"


class _Pin(NamedTuple):
    version: str
    reference: str
    digest: str


class Pins:
    """The images of all machines of a driver.

    Args:
        machines: The folder of the machines.
    """

    def __init__(self, machines: Path) -> None:
        self._machines = machines
        self._known: dict[str, _Pin] = {}

    def read(self, machine_id: str, version: str, reference: str) -> str:
        """Return the digest that a version of a machine has for its image; empty for none yet."""
        pin = self._pin(machine_id)
        if pin is None or (pin.version, pin.reference) != (version, reference):
            return ""
        return pin.digest

    def write(self, machine_id: str, version: str, reference: str, digest: str) -> None:
        """Write down what the image of a version is, in the place of that of an earlier one."""
        pin = self._known[machine_id] = _Pin(version, reference, digest)
        path = f"{self._machines}/{machine_id}/{_FILE}"
        make_folder(os.path.dirname(path))
        # not beside it and renamed: half of it reads as none, of which no machine was started
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        file = os.open(path, flags, 0o600)
        try:
            os.write(file, json.dumps(pin._asdict()).encode())
        finally:
            os.close(file)

    def forget(self, machine_id: str) -> None:
        """Forget a machine that is gone."""
        self._known.pop(machine_id, None)

    def digests(self) -> set[str]:
        """Return the digests of all images that machines have."""
        ids = {one.name for one in self._machines.iterdir()} if self._machines.is_dir() else set()
        return {pin.digest for one in ids if (pin := self._pin(one))}

    def _pin(self, machine_id: str) -> _Pin | None:
        pin = self._known.get(machine_id)
        if pin is None and (pin := _read(f"{self._machines}/{machine_id}/{_FILE}")):
            self._known[machine_id] = pin
        return pin


def _read(path: str) -> _Pin | None:
    try:
        with open(path, "rb") as file:
            return _Pin(**json.load(file))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
