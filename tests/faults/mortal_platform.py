"""A platform that kills itself at its n-th write.

`python -m tests.faults.mortal_platform NUMBER before|after OPTION...`, with the options of
`python -m ephemera.platform`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from ephemera.platform import store
from ephemera.platform.__main__ import main


def die_at_write(number: int, when: str) -> None:
    """Have this process killed before or after a transaction of the platform is committed."""
    initialise, left = store.Store.__init__, number

    def mortal(self: store.Store, path: Path) -> None:
        initialise(self, path)
        dialect = self.engine.dialect
        commit = dialect.do_commit

        def count_and_commit(connection: Any) -> None:
            nonlocal left
            left -= 1
            if left == 0 and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            commit(connection)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        setattr(dialect, "do_commit", count_and_commit)  # noqa: B010 - an assignment is a type error

    setattr(store.Store, "__init__", mortal)  # noqa: B010 - an assignment is a type error


if __name__ == "__main__":
    die_at_write(int(sys.argv[1]), sys.argv[2])
    del sys.argv[1:3]
    sys.exit(main())
