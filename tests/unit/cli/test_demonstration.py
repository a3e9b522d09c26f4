from __future__ import annotations

import pytest

from ephemera.cli.demonstration import elapsed_ns, free_port
from ephemera.errors import EphemeraError


def test_the_time_between_two_timestamps_is_exact_to_the_nanosecond() -> None:
    status = "31-12-2026 23:59:59.999999999 UTC\n01-01-2027 00:00:00.000000001 UTC\n"
    assert elapsed_ns(status) == 2


@pytest.mark.parametrize(
    "status",
    [
        "",
        "no job yet\n",
        "23-11-2026 16:45:40.502339140 UTC\n",
        "23-11-2026 16:45:40.502339140 UTC\n" * 3,
        "23-11-2026 16:45:40.5 UTC\n23-11-2026 16:45:41.5 UTC\n",
        "23-11-2026 16:45:40.502339140 CET\n23-11-2026 16:45:41.502339140 CET\n",
        "2026-11-23 16:45:40.502339140 UTC\n2026-11-23 16:45:41.502339140 UTC\n",
    ],
)
def test_anything_but_two_timestamps_is_an_error(status: str) -> None:
    with pytest.raises(EphemeraError, match="did not answer two timestamps"):
        elapsed_ns(status)


def test_a_job_cannot_be_complete_before_it_is_started() -> None:
    status = "23-11-2026 16:45:41.000000000 UTC\n23-11-2026 16:45:40.000000000 UTC\n"
    with pytest.raises(EphemeraError, match="complete before it was started"):
        elapsed_ns(status)


def test_its_port_is_none_that_the_system_gives_to_somebody_else_meanwhile() -> None:
    assert 10_000 <= free_port() < 32_768
