from __future__ import annotations

import pytest

from ephemera.errors import ConfigError
from ephemera.jobs import configure, webside
from ephemera.jobs.runtime import runtime
from ephemera.jobs.settings import Settings


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "http://asked"),
        ({"FLY_APP_NAME": "shop"}, "http://asked"),
        ({"EPHEMERA_APP_URL": "http://shop.flycast/"}, "http://shop.flycast"),
        ({"FLY_APP_NAME": "shop", "FLY_MACHINE_ID": "m"}, "https://shop.fly.dev"),
        (
            {"FLY_APP_NAME": "shop", "FLY_MACHINE_ID": "m", "EPHEMERA_API_SOCKET": "/.fly/api"},
            "http://asked",
        ),
    ],
)
def test_where_machines_reach_an_application(environ: dict[str, str], expected: str) -> None:
    assert webside.app_url("http://asked/", environ) == expected


def test_an_application_in_no_machine_leaves_reports_to_the_supervisor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("EPHEMERA_APP_URL", raising=False)
    webside.mounted()
    assert runtime.settings().report_url == ""


def test_what_is_configured_goes_before_what_is_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPHEMERA_APP_URL", "http://shop.flycast")
    try:
        configure(report_url="https://shop.example/reports")
        webside.mounted()
        assert runtime.settings().report_url == "https://shop.example/reports"
    finally:
        runtime.reset()


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'report_url' is 'shop\.example'"):
        Settings(store="", report_url="shop.example")
