"""What Django loads for `ephemera.integrations.django` in `INSTALLED_APPS`."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.signals import request_started
from django.urls import NoReverseMatch, reverse

from ephemera.jobs import webside

#: Stands in the path where store and attempt will be.
_ANY = "any"


class EphemeraConfig(AppConfig):
    """Has each process that answers requests supervise jobs, and machines report to it."""

    name = "ephemera.integrations.django"
    label = "ephemera"
    verbose_name = "Ephemera"

    def ready(self) -> None:
        """Wait for the first request."""
        request_started.connect(_begin, dispatch_uid="ephemera")


def _begin(**_: Any) -> None:
    request_started.disconnect(dispatch_uid="ephemera")
    prefix = _prefix()
    if prefix is not None:
        webside.mounted(prefix)
    webside.supervise()


def _prefix() -> str | None:
    """Return below which path the project included our URLs; None where it did not."""
    try:
        path = reverse("ephemera:report", args=(_ANY, _ANY))
    except NoReverseMatch:
        return None
    return path.removesuffix(f"{webside.REPORTS_PATH}/{_ANY}/{_ANY}")
