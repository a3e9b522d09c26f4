"""How large a machine is: `guest`, or the older name of a size.

Source: the API's table of presets; memory comes in steps of 256 MB, as its reference of the
config says (a guide says 2048 for performance cpus, which would refuse what works).
"""

from __future__ import annotations

import re
from typing import Any

from ephemera.platform import refusals
from ephemera.platform.configs.fields import wrong
from ephemera.wire.config import MachineConfig

#: Cpus and the memory they may have, in MB: (least, most for one cpu).
_MEMORY_MB = {"shared": (256, 2048), "performance": (2048, 8192)}
_CPUS = {"shared": (1, 2, 4, 6, 8), "performance": (1, 2, 4, 6, 8, 10, 12, 14, 16)}
_MEMORY_STEP_MB = 256
_SIZE = re.compile(r"(shared-cpu|performance)-(\d{1,2})x")
_GPU_SIZES = ("a100-40gb", "a100-80gb", "l40s", "a10")


def filled(config: MachineConfig) -> dict[str, Any]:
    """Return the size of the machine, checked, with what was left out filled in.

    Raises:
        Refusal: there is no such size, or `size` and `guest` say different ones.
    """
    given = config.guest.model_dump(exclude_none=True) if config.guest else {}
    named = _named(config.size) if config.size else {}
    for field, value in named.items():
        if given.get(field, value) != value:
            said = f"config.size '{config.size}' and config.guest.{field} {given[field]}"
            raise refusals.invalid(f"{said} say different sizes; give one of the two")
    return _completed("config.guest", given | named)


def _named(size: str) -> dict[str, Any]:
    """Return the guest that `config.size`, the deprecated name of one, stands for."""
    if size in _GPU_SIZES:
        raise refusals.unsupported(f"config.size '{size}': there are no GPUs on this platform")
    found = _SIZE.fullmatch(size)
    if not found:
        raise wrong("config.size", size, "is not one such as 'shared-cpu-1x'")
    kind = "shared" if found[1] == "shared-cpu" else "performance"
    return _completed(f"config.size '{size}':", {"cpu_kind": kind, "cpus": int(found[2])})


def _completed(path: str, guest: dict[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {"cpu_kind": "shared", "cpus": 1, **guest}
    kind, cpus = whole["cpu_kind"], whole["cpus"]
    if kind not in _CPUS:
        raise wrong(f"{path}.cpu_kind", kind, f"is not one of {', '.join(_CPUS)}")
    if cpus not in _CPUS[kind]:
        allowed = ", ".join(map(str, _CPUS[kind]))
        raise wrong(f"{path}.cpus", cpus, f"is not one of {allowed} for cpu_kind '{kind}'")
    least, most = (limit * cpus for limit in _MEMORY_MB[kind])
    whole.setdefault("memory_mb", least)
    _check_memory(f"{path}.memory_mb", whole["memory_mb"], least, most, f"{cpus} {kind} cpus")
    if whole.get("max_memory_mb"):
        least = whole["memory_mb"]
        _check_memory(f"{path}.max_memory_mb", whole["max_memory_mb"], least, most, "this guest")
    return whole


def _check_memory(path: str, megabytes: int, least: int, most: int, what: str) -> None:
    if not least <= megabytes <= most or megabytes % _MEMORY_STEP_MB:
        why = f"is not a multiple of {_MEMORY_STEP_MB} from {least} to {most} for {what}"
        raise wrong(path, megabytes, why)
