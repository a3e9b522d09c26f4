from __future__ import annotations

from pathlib import Path

import pytest

from ephemera.errors import ConfigError
from ephemera.platform.drivers import NAMES, open_driver


@pytest.mark.parametrize("name", NAMES)
def test_each_driver_is_found_by_its_name(name: str, tmp_path: Path) -> None:
    assert open_driver(name, tmp_path).name == name


def test_an_unknown_name_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'nomad'") as caught:
        open_driver("nomad", tmp_path)
    assert all(name in caught.value.hint for name in NAMES)
