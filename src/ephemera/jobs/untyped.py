"""What stands in for `typing` while a program runs.

A machine imports whatever declares its task. Importing `typing` would take longer than all else
that is needed for that, so type checkers read it and programs have this.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

P = R = None


class Generic:
    """A class that can be written with parameters, as in `Task[P, R]`."""

    def __class_getitem__(cls, parameters: object) -> object:
        """Return the class with its parameters, which mean nothing here."""
        if cls is Generic:
            return cls
        from types import GenericAlias

        return GenericAlias(cls, parameters)


class TypedDict(dict[str, object]):
    """A dictionary whose keys are the annotations of its class."""

    def __init_subclass__(cls, *, total: bool = True) -> None:
        """Take what a subclass says of its keys."""


def overload(function: Callable[..., object]) -> Callable[..., object]:
    """Return the function: the one that is defined last is called."""
    return function
