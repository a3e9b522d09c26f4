from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.cli.choosing import found_app, needed_app, usual_app, usual_app_there
from ephemera.errors import ConfigError, NotFound


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an app, and we are in a folder of it."""
    for name in ("FLY_APP_NAME", "EPHEMERA_APP"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "fly.toml").write_text('app = "here"\n')
    (tmp_path / "other.toml").write_text('app = "other"\n')
    (tmp_path / "nameless.toml").write_text('primary_region = "iad"\n')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    return tmp_path


def test_the_nearest_file_upwards_names_the_app() -> None:
    assert found_app(None, None) == "here"


def test_each_way_of_naming_an_app_wins_over_those_after_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPHEMERA_APP", "second")
    assert found_app(None, None) == "second"
    monkeypatch.setenv("FLY_APP_NAME", "first")
    assert found_app(None, None) == "first"
    assert found_app(None, folder / "other.toml") == "other"
    assert found_app("given", folder / "other.toml") == "given"


def test_a_variable_that_is_empty_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLY_APP_NAME", "")
    assert found_app(None, None) == "here"


def test_where_nothing_names_an_app_it_is_that_of_the_jobs_or_an_error_that_says_both_ways(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    assert usual_app(None, None) == "jobs"
    with pytest.raises(ConfigError) as wrong:
        needed_app(None, None)
    assert "-a APP" in wrong.value.hint
    assert "fly.toml" in wrong.value.hint


def test_where_the_app_of_the_jobs_is_not_there_it_is_said_that_none_was_named(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound) as wrong, usual_app_there(None, None) as named:
        raise NotFound(f"{named} is not there", status=404, hint="look at the spelling")
    assert wrong.value.hint == "look at the spelling"
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    with (
        pytest.raises(NotFound, match="jobs is not there") as unnamed,
        usual_app_there(None, None) as app,
    ):
        raise NotFound(f"{app} is not there", status=404, hint="look at the spelling")
    assert "no app is named" in unnamed.value.hint


def test_a_file_that_is_named_must_name_an_app(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"nameless\.toml names no app"):
        usual_app(None, folder / "nameless.toml")
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        usual_app(None, folder / "missing.toml")


def test_a_broken_file_is_an_error_also_where_it_was_only_found(folder: Path) -> None:
    (folder / "fly.toml").write_text("app = \n")
    with pytest.raises(ConfigError, match=r"fly\.toml"):
        usual_app(None, None)
