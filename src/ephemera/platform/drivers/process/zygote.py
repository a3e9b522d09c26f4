"""The zygote of the process driver. Standard library only, as everything that it imports."""

from __future__ import annotations

from ephemera.platform.drivers.monitoring import zygote
from ephemera.platform.drivers.process.body import ProcessKind


def main() -> None:
    """Keep a spare ready until the server is gone."""
    zygote.main(lambda _: ProcessKind())
