"""What an embedded platform can be told, and what it refuses to be."""

from __future__ import annotations

import pytest

from ephemera.errors import ConfigError
from ephemera.platform.settings import AREAS, Settings


@pytest.mark.parametrize("code", ["", "IAD", "iad,lhr", "i-a-d", "i" * 33, *sorted(AREAS)])
def test_what_is_not_the_code_of_one_region_is_refused_by_name(code: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Settings(regions=("iad", code))
    assert repr(code) in str(raised.value)


@pytest.mark.parametrize("regions", [(), ("iad", "lhr", "iad")])
def test_there_is_a_region_and_each_is_there_once(regions: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        Settings(regions=regions)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_what_is_not_a_time_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="may be idle"):
        Settings(idle_timeout_s=seconds)


def test_an_idle_time_is_kept_by_a_server_that_is_started_again() -> None:
    assert Settings().options() == ()
    assert Settings(idle_timeout_s=1.5).options() == ("--idle-timeout", "1.5")
