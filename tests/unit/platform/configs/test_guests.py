from __future__ import annotations

from typing import Any

import pytest

from .accepting import checked, refusal


def test_memory_follows_the_cpus_when_it_is_not_given() -> None:
    assert checked(guest={"cpus": 4})["guest"]["memory_mb"] == 1024
    assert checked(guest={"cpu_kind": "performance", "cpus": 2})["guest"]["memory_mb"] == 4096


def test_a_named_size_is_understood_and_kept() -> None:
    stored = checked(size="performance-2x")
    assert stored["guest"] == {"cpu_kind": "performance", "cpus": 2, "memory_mb": 4096}
    assert stored["size"] == "performance-2x"


def test_a_config_that_was_read_can_be_written_back() -> None:
    stored = checked(size="shared-cpu-2x")
    assert checked(**stored) == stored


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"guest": {"cpus": 3}}, "config.guest.cpus 3"),
        ({"guest": {"cpus": 0}}, "config.guest.cpus 0"),
        ({"guest": {"cpus": 10}}, "config.guest.cpus 10"),
        ({"guest": {"cpu_kind": "tiny"}}, "config.guest.cpu_kind 'tiny'"),
        ({"guest": {"memory_mb": 300}}, "config.guest.memory_mb 300"),
        ({"guest": {"memory_mb": 4096}}, "config.guest.memory_mb 4096"),
        ({"guest": {"memory_mb": -256}}, "config.guest.memory_mb -256"),
        ({"guest": {"memory_mb": 10**40}}, "config.guest.memory_mb 1000"),
        ({"guest": {"memory_mb": 512, "max_memory_mb": 256}}, "config.guest.max_memory_mb 256"),
        ({"guest": {"max_memory_mb": 4096}}, "config.guest.max_memory_mb 4096"),
        ({"guest": {"cpu_kind": "performance", "cpus": 8, "memory_mb": 8192}}, "memory_mb 8192"),
        ({"size": "huge"}, "config.size 'huge'"),
        ({"size": "shared-cpu-3x"}, "config.size 'shared-cpu-3x'"),
        ({"size": "l40s"}, "config.size 'l40s'"),
        ({"size": "shared-cpu-1x", "guest": {"memory_mb": 512}}, "config.size 'shared-cpu-1x'"),
        ({"size": "shared-cpu-1x", "guest": {"cpus": 2}}, "config.guest.cpus 2"),
    ],
)
def test_a_size_that_there_is_not_is_refused(config: dict[str, Any], named: str) -> None:
    assert named in refusal(**config)
