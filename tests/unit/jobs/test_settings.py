from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ephemera.errors import ConfigError
from ephemera.jobs.runtime import Runtime
from ephemera.jobs.settings import Settings, from_environment
from ephemera.jobs.stores.memory import MemoryStore


def test_without_an_environment_there_are_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EPHEMERA_HOME", str(tmp_path))
    assert from_environment({}) == Settings(store=f"sqlite:///{tmp_path}/jobs.db")


def test_the_environment_of_a_machine_is_understood() -> None:
    settings = from_environment(
        {
            "EPHEMERA_STORE": "sqlite:////x.db",
            "FLY_APP_NAME": "shop",
            "EPHEMERA_APP": "other",
            "FLY_IMAGE_REF": "registry.fly.io/shop:1",
            "EPHEMERA_SUPERVISE": "0",
            "EPHEMERA_CONCURRENCY": "20",
        }
    )
    assert (settings.store, settings.app) == ("sqlite:////x.db", "shop")
    assert (settings.image, settings.supervise) == ("registry.fly.io/shop:1", False)
    assert settings.concurrency == 20


def test_a_supervise_setting_that_is_neither_0_nor_1_is_refused() -> None:
    with pytest.raises(ConfigError, match="EPHEMERA_SUPERVISE"):
        from_environment({"EPHEMERA_SUPERVISE": "yes"})


@pytest.mark.parametrize("number", ["many", "-1", "0"])
def test_a_concurrency_that_is_no_number_above_0_is_refused(number: str) -> None:
    with pytest.raises(ConfigError, match=r"(?i)concurrency"):
        from_environment({"EPHEMERA_CONCURRENCY": number})


@pytest.mark.parametrize("change", [{"keep": -1}, {"keep_for_s": -1.0}, {"report": "shout"}])
def test_a_setting_out_of_range_changes_nothing(change: dict[str, Any]) -> None:
    runtime, store = Runtime(), MemoryStore()
    runtime.configure(store=store, changes={"keep": 3})
    with pytest.raises(ConfigError):
        runtime.configure(store=None, changes=change)
    assert runtime.settings().keep == 3
    assert runtime.store() is store


def test_what_is_configured_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPHEMERA_APP", "shop")
    runtime = Runtime()
    runtime.configure(store="sqlite:////y.db", changes={"app": "mill"})
    assert (runtime.settings().app, runtime.settings().store) == ("mill", "sqlite:////y.db")
