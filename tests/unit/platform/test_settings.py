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
