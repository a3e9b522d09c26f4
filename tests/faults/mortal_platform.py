"""A platform that kills itself at its n-th write.

`python -m tests.faults.mortal_platform NUMBER before|after OPTION...`, with the options of
`python -m ephemera.platform`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ephemera.platform import store
from ephemera.platform.__main__ import main
from tests.faults.mortality import die_at_write


def make_mortal(number: int, when: str) -> None:
    """Have this process killed at the n-th write of the store that it opens."""
    initialise = store.Store.__init__

    def mortal(self: store.Store, path: Path) -> None:
        initialise(self, path)
        die_at_write(self.engine, number, when)

    setattr(store.Store, "__init__", mortal)  # noqa: B010 - an assignment is a type error


if __name__ == "__main__":
    make_mortal(int(sys.argv[1]), sys.argv[2])
    del sys.argv[1:3]
    sys.exit(main())
