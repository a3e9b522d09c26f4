"""What is said of a release while it is made."""

from __future__ import annotations

from collections.abc import Callable

from ephemera.deploy.release.steps import (
    Change,
    Cordon,
    Create,
    Destroy,
    Drain,
    Label,
    Start,
    Step,
    Stop,
    Uncordon,
    Verify,
)

#: Called with each line there is to say.
Tell = Callable[[str], None]


def line(step: Step) -> str:
    """Return what is said before a step is done; empty where it is of no interest."""
    match step:
        case Create(machine, region=region):
            return f"creating machine {machine}" + (f" in {region}" if region else "")
        case Change(machine):
            return f"changing machine {machine}"
        case Start(machine):
            return f"starting machine {machine}"
        case Verify(machine):
            return f"waiting for machine {machine}"
        case Uncordon(machine):
            return f"requests go to machine {machine}"
        case Cordon(machine):
            return f"no more requests go to machine {machine}"
        case Stop(machine):
            return f"stopping machine {machine}"
        case Destroy(machine):
            return f"destroying machine {machine}"
        case Label() | Drain():
            return ""
