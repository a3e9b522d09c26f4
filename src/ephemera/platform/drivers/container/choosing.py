"""Which of the two ways to start programs of machines a platform takes: its own, or `crun`."""

from __future__ import annotations

from collections.abc import Mapping

from ephemera.errors import DriverError
from ephemera.platform.drivers.container.host import Host

_VARIABLE = "EPHEMERA_RUNTIME"


def launches(host: Host, environ: Mapping[str, str], *, filters: bool) -> bool:
    """Whether programs are started by the platform itself, and not by `crun`.

    Args:
        host: A computer on which at least one of the two works.
        environ: May say which is wanted; the platform's own unless it does.
        filters: Whether a filter of system calls has been compiled, which `crun` does by itself.

    Raises:
        DriverError: what is wanted is not there, or not known.
    """
    wanted = environ.get(_VARIABLE, "")
    if wanted not in ("", "own", "crun"):
        raise DriverError(
            f"{_VARIABLE} is '{wanted}', which is no way to start programs of machines",
            hint="set it to 'own' or 'crun', or not at all",
        )
    own = host.launches and (filters or not host.seccomp)
    if wanted == "crun" and not host.crun:
        raise DriverError(
            f"{_VARIABLE} is 'crun', which is not in the path or does not start",
            hint=f"apt-get install crun, or do not set {_VARIABLE}",
        )
    if wanted == "own" and not own:
        why = host.reasons.get("launches", "there is no libseccomp to filter system calls with")
        raise DriverError(
            f"{_VARIABLE} is 'own', and the platform cannot start programs itself: {why}",
            hint=f"do not set {_VARIABLE}, so that crun does it",
        )
    return own and wanted != "crun"
