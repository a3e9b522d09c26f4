"""What the job layer can be told: by `configure()`, else by the environment, else defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from ephemera.errors import ConfigError
from ephemera.home import home

#: The app that jobs get machines of where nobody says otherwise.
DEFAULT_APP = "jobs"
#: The image that stands for this computer's own file system.
HOST_IMAGE = "host"

ReportMode = Literal["auto", "push", "pull"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the job layer in one process."""

    #: An SQLAlchemy URL.
    store: str
    app: str = DEFAULT_APP
    image: str = HOST_IMAGE
    region: str = ""
    #: Whether this process may supervise jobs in a thread of its own.
    supervise: bool = True
    #: How results come back: `push` from the machine to the supervisor's listener, `pull` by
    #: the supervisor through the API, or `auto`: push where the API is on this computer.
    report: ReportMode = "auto"
    #: Where machines report to instead of to the supervisor's own listener: the URL below which a
    #: web application takes reports, see `webside`. Empty for none.
    report_url: str = ""
    #: How many jobs have a machine at the same time at most; None for as many as there are.
    concurrency: int | None = None
    #: How many machines of jobs that went wrong are kept at most.
    keep: int = 10
    #: Seconds such a machine is kept at most.
    keep_for_s: float = 24 * 3600.0
    #: Seconds a runner tries to deliver its last report, where machines that wait are paid for.
    report_patience_s: float = 600.0

    def __post_init__(self) -> None:
        if self.keep < 0 or self.keep_for_s < 0:
            raise ConfigError("'keep' and 'keep_for' cannot be negative")
        if self.concurrency is not None and self.concurrency < 1:
            raise ConfigError(f"'concurrency' is {self.concurrency}; it must be at least 1")
        if self.report not in ("auto", "push", "pull"):
            raise ConfigError(f"'report' is {self.report!r}, not 'auto', 'push' or 'pull'")
        if self.report_url and urlsplit(self.report_url).scheme not in ("http", "https"):
            raise ConfigError(
                f"'report_url' is {self.report_url!r}, which is not an http or https URL",
                hint="it is such as 'https://shop.example/ephemera/reports'",
            )


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Return the settings that the environment asks for.

    `EPHEMERA_STORE` (default `jobs.db` in the state folder), `FLY_APP_NAME` or `EPHEMERA_APP`,
    `FLY_IMAGE_REF`, `EPHEMERA_REPORT_URL`, `EPHEMERA_CONCURRENCY`, and `EPHEMERA_SUPERVISE`, where
    `0` leaves the work to `ephemera supervise`.

    Raises:
        ConfigError: `EPHEMERA_SUPERVISE` is neither `0` nor `1`, the URL is not one, or
            `EPHEMERA_CONCURRENCY` is not a number above 0.
    """
    supervise = environ.get("EPHEMERA_SUPERVISE", "1")
    if supervise not in ("0", "1"):
        raise ConfigError(f"EPHEMERA_SUPERVISE is {supervise!r}; it must be 0 or 1")
    concurrency = environ.get("EPHEMERA_CONCURRENCY") or None
    if concurrency is not None and not concurrency.isdecimal():
        raise ConfigError(f"EPHEMERA_CONCURRENCY is {concurrency!r}, not a number")
    return Settings(
        store=environ.get("EPHEMERA_STORE") or f"sqlite:///{home() / 'jobs.db'}",
        app=environ.get("FLY_APP_NAME") or environ.get("EPHEMERA_APP") or DEFAULT_APP,
        image=environ.get("FLY_IMAGE_REF") or HOST_IMAGE,
        supervise=supervise == "1",
        report_url=environ.get("EPHEMERA_REPORT_URL", "").rstrip("/"),
        concurrency=int(concurrency) if concurrency else None,
    )
