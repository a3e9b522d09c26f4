"""What two kinds of drivers make of a config."""

from __future__ import annotations

from typing import Any

import pytest

from ephemera.platform import configs
from ephemera.platform.drivers.base import Capabilities
from ephemera.platform.refusals import Refusal
from ephemera.wire.config import MachineConfig

#: Can do as little as a driver can.
HOST_ONLY = Capabilities(
    images=frozenset({"host"}),
    private_network=False,
    suspends=False,
    mounts=False,
    users=frozenset({"me", "1000"}),
)
#: Can do as much as there is to do.
ABLE = Capabilities(
    images=None,
    private_network=True,
    suspends=True,
    mounts=True,
    processes=True,
    terminals=True,
    users=None,
)


def checked(can: Capabilities = ABLE, /, **config: Any) -> dict[str, Any]:
    """Return the config of a machine as it is stored; its image is `host` unless it names one."""
    whole = MachineConfig.model_validate({"image": "host", **config})
    return configs.checked(whole, can, "process")


def refusal(can: Capabilities = ABLE, /, **config: Any) -> str:
    """Return why a config is refused; the test fails unless it is, as the caller's fault."""
    with pytest.raises(Refusal) as caught:
        checked(can, **config)
    assert caught.value.status == 400
    return caught.value.error
