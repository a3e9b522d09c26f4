"""An app with machines, and the command line that looks at it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ephemera import Client
from ephemera.wire.models import Machine
from tests.acceptance.command_line import CommandLine
from tests.acceptance.inside import Inside, Said

#: A program that does nothing until it is told to end.
PAUSE = (sys.executable, "-c", "import signal; signal.pause()")
HELLO = (sys.executable, "-c", "print('hello')")


class Shop:
    """An app on a platform.

    Attributes:
        ephemera: The command line on the platform's state folder.
        client: A client of the platform.
        app: The app's name.
    """

    def __init__(self, ephemera: CommandLine, client: Client, app: str) -> None:
        self.ephemera = ephemera
        self.client = client
        self.app = app
        client.apps.create(app)

    def __call__(self, *arguments: str, code: int = 0) -> Said:
        """Run a command about this app to its end, which must be the exit status `code`."""
        words = arguments[:1] if arguments[0] == "logs" else arguments[:2]
        return Inside(self.ephemera, Path.cwd())(
            *words, "-a", self.app, *arguments[len(words) :], code=code
        )

    def run(self, command: Sequence[str], *, until: str = "started") -> Machine:
        """Run a command as a machine, and return it when it is in a state."""
        config = {"image": "host", "init": {"exec": list(command)}, "restart": {"policy": "no"}}
        machine = self.client.machines.create(self.app, config=config)
        self.client.machines.wait(self.app, machine.id, until)
        return machine
