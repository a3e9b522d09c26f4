"""The sizes of machines by name, as `[[vm]]` gives them.

Source: the API's table of presets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ephemera.deploy.flytoml.sections import Vm
from ephemera.wire.config import Guest

_SIZE = re.compile(r"(shared-cpu|performance)-(\d{1,2})x")
#: Memory of one cpu, in MB, where none is named.
_MEMORY_MB = {"shared": 256, "performance": 2048}
_GPUS = {
    "a10": "a10",
    "l40s": "l40s",
    "a100-40gb": "a100-pcie-40gb",
    "a100-80gb": "a100-sxm4-80gb",
}
_SMALLEST = Guest(cpu_kind="shared", cpus=1, memory_mb=256)


def is_size(name: str) -> bool:
    """Return whether it is the name of a size."""
    return name in _GPUS or bool(_SIZE.fullmatch(name))


def guest_of(vms: Sequence[Vm], host_dedication_id: str | None = None) -> Guest | None:
    """Return the size that the sections of a group say; None where there are none.

    A section that names the group goes before one for all groups.
    """
    if not vms:
        return None
    vm = next((vm for vm in vms if vm.processes), vms[0])
    sized = _named(vm.size) if vm.size else _SMALLEST
    kind = vm.cpu_kind or sized.cpu_kind or "shared"
    cpus = vm.cpus or sized.cpus or 1
    grown = vm.cpus is not None or vm.cpu_kind is not None
    memory_mb = _MEMORY_MB[kind] * cpus if grown else sized.memory_mb
    return Guest(
        cpu_kind=kind,
        cpus=cpus,
        memory_mb=vm.memory or vm.memory_mb or memory_mb,
        gpus=vm.gpus if vm.gpus is not None else sized.gpus,
        gpu_kind=vm.gpu_kind or sized.gpu_kind,
        host_dedication_id=vm.host_dedication_id or host_dedication_id,
        kernel_args=vm.kernel_args,
    )


def _named(size: str) -> Guest:
    """Return the guest of a named size, which has been checked to be one."""
    if size in _GPUS:
        return Guest(cpu_kind="performance", cpus=8, memory_mb=32768, gpus=1, gpu_kind=_GPUS[size])
    found = _SIZE.fullmatch(size)
    assert found, size
    kind, cpus = ("shared" if found[1] == "shared-cpu" else "performance"), int(found[2])
    return Guest(cpu_kind=kind, cpus=cpus, memory_mb=_MEMORY_MB[kind] * cpus)
