"""Which images a computer can run, in the words of images: `linux/amd64`, `linux/arm/v7`."""

from __future__ import annotations

import platform
from dataclasses import dataclass

#: What the kernel calls a machine, and what images do.
_NAMES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "arm64": ("arm64", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "loongarch64": ("loong64", ""),
}
#: Variants that a computer runs, best first. `v2` and above of amd64 need a newer processor than
#: every one has, so one without a variant goes first.
_VARIANTS = {
    ("amd64", ""): ("", "v1", "v2", "v3"),
    ("arm64", "v8"): ("v8", ""),
    ("arm", "v7"): ("v7", "", "v6", "v5"),
    ("arm", "v6"): ("v6", "", "v5"),
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """A kind of computer."""

    name: str
    variant: str = ""
    os: str = "linux"

    def rank(self, os: str, name: str, variant: str) -> int | None:
        """Return how well something made for another fits: 0 is best; None if it does not run."""
        runs = _VARIANTS.get((self.name, self.variant), (self.variant,))
        if (os, name) != (self.os, self.name) or variant not in runs:
            return None
        return runs.index(variant)

    def runs(self, os: str, name: str, variant: str) -> bool:
        """Return whether something made for another runs here."""
        return self.rank(os, name, variant) is not None

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.name, self.variant)))


def this_computer() -> Architecture:
    """Return what this computer is."""
    machine = platform.machine()
    return Architecture(*_NAMES.get(machine, (machine, "")))
