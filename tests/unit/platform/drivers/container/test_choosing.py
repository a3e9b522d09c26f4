"""Which of two ways to start programs is taken, and what is said where one is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ephemera.errors import DriverError
from ephemera.platform.drivers.container.choosing import launches
from ephemera.platform.drivers.container.host import Host

_BOTH = Host("Linux 6.1.0", is_root=True, crun="/usr/bin/crun", launches=True, seccomp=True)


def test_the_platforms_own_is_taken_unless_something_else_is_wanted() -> None:
    assert launches(_BOTH, {}, filters=True)
    assert launches(_BOTH, {"EPHEMERA_RUNTIME": "own"}, filters=True)
    assert not launches(_BOTH, {"EPHEMERA_RUNTIME": "crun"}, filters=True)


def test_crun_is_taken_where_the_platform_cannot_do_it_or_cannot_filter() -> None:
    assert not launches(replace(_BOTH, launches=False), {}, filters=True)
    assert not launches(_BOTH, {}, filters=False)


def test_where_nothing_is_filtered_no_filter_is_needed() -> None:
    assert launches(replace(_BOTH, seccomp=False), {}, filters=False)


@pytest.mark.parametrize(
    ("host", "wanted", "says"),
    [
        (_BOTH, "runc", "EPHEMERA_RUNTIME is 'runc'"),
        (replace(_BOTH, crun=""), "crun", "is 'crun', which is not in the path"),
        (
            replace(_BOTH, launches=False, reasons={"launches": "Function not implemented"}),
            "own",
            "cannot start programs itself: Function not implemented",
        ),
    ],
)
def test_what_is_wanted_and_not_there_is_an_error(host: Host, wanted: str, says: str) -> None:
    with pytest.raises(DriverError, match=says) as caught:
        launches(host, {"EPHEMERA_RUNTIME": wanted}, filters=True)
    assert caught.value.hint
