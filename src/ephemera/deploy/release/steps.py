"""The steps of which a release is made, and how each of them is undone.

Machines are named by their names: those of machines that are not there yet are known before they
are created. Each step may be done again, and undone without having been done whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from ephemera.wire.models import MachineConfig


@dataclass(frozen=True, slots=True)
class Create:
    """Make a machine and start it. With services it begins cordoned: nobody is sent to it yet."""

    machine: str
    config: MachineConfig
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Give a machine another config. One that runs is started again in it, one at rest is not."""

    machine: str
    config: MachineConfig
    #: What it has before.
    before: MachineConfig
    #: Whether it is at rest before and after.
    rests: bool = False
    #: Whether it stays cordoned.
    cordoned: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Start a machine that is at rest."""

    machine: str


@dataclass(frozen=True, slots=True)
class Verify:
    """Wait until a machine is started and its checks pass."""

    machine: str
    #: Whether it was well before, and is brought back.
    comes_back: bool = False


@dataclass(frozen=True, slots=True)
class Uncordon:
    """Have the proxy send requests to a machine."""

    machine: str


@dataclass(frozen=True, slots=True)
class Cordon:
    """Have the proxy send no more requests to a machine; those that are there go on."""

    machine: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Wait until a cordoned machine has answered all that it was sent, but not for ever."""

    machine: str


@dataclass(frozen=True, slots=True)
class Label:
    """Say what is under way with a machine; nothing is, where it is empty."""

    machine: str
    half_done: str
    before: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop a machine and wait until it has stopped, so that it finishes what it was doing."""

    machine: str


@dataclass(frozen=True, slots=True)
class Destroy:
    """Take a machine away, whatever it is doing. Nothing brings it back."""

    machine: str


Step = Create | Change | Start | Verify | Uncordon | Cordon | Drain | Label | Stop | Destroy


def undo(step: Step) -> tuple[Step, ...]:
    """Return the steps that undo one, in their order.

    A machine that is brought back has to be well before anybody is sent to it again, so what
    starts it ends with a `Verify`.
    """
    match step:
        case Create(machine):
            return (Stop(machine), Destroy(machine))
        case Change(machine, config, before, rests, cordoned):
            back = Change(machine, before, config, rests, cordoned)
            return (back,) if rests else (back, Verify(machine, comes_back=True))
        case Start(machine):
            return (Stop(machine),)
        case Stop(machine):
            return (Start(machine), Verify(machine, comes_back=True))
        case Uncordon(machine):
            return (Cordon(machine),)
        case Cordon(machine):
            return (Uncordon(machine),)
        case Label(machine, half_done, before):
            return (Label(machine, before, half_done),)
        case Verify() | Drain() | Destroy():
            return ()
