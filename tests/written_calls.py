"""Lists of system calls that are only written, for tests of what is in them.

```python
calls = Written()
becoming.be_limited(calls, limits)
assert calls.names() == ["prlimit64"]
```
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, TypeVar

from ephemera.platform.drivers.container.assembly import X86
from ephemera.platform.drivers.container.calls import MEMORY, Argument, Calls

T = TypeVar("T")


class Call(NamedTuple):
    """One call, as it was asked for."""

    name: str
    arguments: tuple[Argument, ...]
    #: Errors that are no failure.
    expected: tuple[int, ...]
    #: What is read where it fails.
    says: str

    @property
    def paths(self) -> list[str]:
        """The arguments that are texts."""
        return [one for one in self.arguments if isinstance(one, str)]


class Written(Calls):
    """A list that remembers what was asked for."""

    def __init__(self) -> None:
        super().__init__(X86, range(4))
        self.made: list[Call] = []

    def __del__(self) -> None:
        self.end()

    def add(
        self,
        name: str,
        *arguments: Argument,
        expected: Sequence[int] = (),
        over_zero: int = 0,
        over_more: int = 0,
        what: str = "",
        refusal: str = "",
    ) -> None:
        super().add(
            name, *arguments, expected=expected, over_zero=over_zero, over_more=over_more,
            what=what, refusal=refusal,
        )  # fmt: skip
        self.made.append(Call(name, arguments, tuple(expected), refusal or what or name))

    def part(self, key: Hashable, write: Callable[[], T]) -> T:
        return write()  # and so remembered each time

    def names(self) -> list[str]:
        return [one.name for one in self.made]

    def all(self, name: str, *arguments: Argument) -> list[Call]:
        """Return the calls of a name that begin with these arguments."""
        fit = (one for one in self.made if one.name == name)
        return [one for one in fit if one.arguments[: len(arguments)] == arguments]

    def place(self, name: str, *arguments: Argument) -> int:
        """Return where the first of them is in the list."""
        return self.made.index(self.all(name, *arguments)[0])

    def said(self, says: str) -> int:
        """Return where the first is that is named so where it fails."""
        return next(place for place, one in enumerate(self.made) if one.says == says)

    def last(self, name: str, *arguments: Argument) -> int:
        """Return where the last of them is."""
        found = self.all(name, *arguments)[-1]
        return max(place for place, one in enumerate(self.made) if one is found)

    def after(self, name: str, *arguments: Argument) -> list[Call]:
        """Return what follows the last of them."""
        return self.made[self.last(name, *arguments) + 1 :]

    def texts(self, address: Argument) -> list[bytes]:
        """Return the texts whose addresses are at an address, up to one that is 0."""
        assert isinstance(address, int)
        found = []
        while place := struct.unpack_from("=Q", self._memory, address - MEMORY)[0]:
            end = self._memory.find(b"\0", place - MEMORY)
            found.append(self._memory[place - MEMORY : end])
            address += 8
        return found
