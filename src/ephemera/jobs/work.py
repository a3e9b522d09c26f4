"""What a job is to do and where: a task's options, and the process that enqueues, made whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ephemera.jobs.options import Options
from ephemera.jobs.records import HostPlace, Work
from ephemera.jobs.settings import HOST_IMAGE, Settings

#: What a machine is given unless the task says otherwise: the smallest that Fly sells.
DEFAULT_GUEST = {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}
DEFAULT_TIMEOUT_S = 3600.0
DEFAULT_START_TIMEOUT_S = 300.0
#: What image `host` takes over from the environment of the process that enqueues.
_HOST_VARIABLES = ("PATH", "VIRTUAL_ENV")
#: Which project a process of Django is of: `manage.py` and servers set it within themselves.
_DJANGO_VARIABLE = "DJANGO_SETTINGS_MODULE"


def place(settings: Settings, options: Options) -> Work:
    """Return the machine-related half of a job's work: what to run is still to be filled in."""
    image = options.get("image") or settings.image
    return Work(
        app=options.get("app") or settings.app,
        image=image,
        region=options.get("region") or settings.region,
        guest={**DEFAULT_GUEST, **options.get("guest", {})},
        env={**_django_project(), **options.get("env", {})},
        volume=options.get("volume", ""),
        timeout_s=float(options.get("timeout", DEFAULT_TIMEOUT_S)),
        start_timeout_s=float(options.get("start_timeout", DEFAULT_START_TIMEOUT_S)),
        host=_host_place() if image == HOST_IMAGE else None,
    )


def _django_project() -> dict[str, str]:
    """Return what names the Django project of this process, so that its machines are of it, too."""
    project = os.environ.get(_DJANGO_VARIABLE)
    return {_DJANGO_VARIABLE: project} if project and "django" in sys.modules else {}


def _host_place() -> HostPlace:
    folder = str(Path.cwd())
    return HostPlace(
        python=sys.executable,
        path=tuple(str(Path(folder, entry)) for entry in sys.path),
        folder=folder,
        env={name: os.environ[name] for name in _HOST_VARIABLES if name in os.environ},
    )
