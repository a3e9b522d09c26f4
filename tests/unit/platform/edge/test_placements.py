from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ephemera.platform.edge.placements import PlacementsRequest, Room, place
from ephemera.platform.refusals import Refusal

ROOM = Room(memory_mb=16 * 1024, disk_bytes=10 * 1024**3)
THREE = ("iad", "ewr", "fra")


def placed(**wanted: Any) -> list[tuple[str, int]]:
    """Return which regions take how many machines."""
    request = PlacementsRequest.model_validate({"org_slug": "personal", **wanted})
    rows = place(request, THREE, ROOM)["regions"]
    return [(row["region"], row["count"]) for row in rows]


def test_without_a_count_each_region_says_how_many_machines_it_has_room_for() -> None:
    assert placed() == [("iad", 8), ("ewr", 8), ("fra", 8)]


def test_room_goes_by_the_memory_of_the_machines() -> None:
    assert placed(compute={"memory_mb": 256}, region="fra") == [("fra", 64)]


def test_a_count_goes_to_the_first_region_of_the_expression() -> None:
    assert placed(count=3, region="eu,any") == [("fra", 3)]


def test_a_count_that_there_is_no_room_for_is_placed_as_far_as_there_is() -> None:
    assert placed(count=100) == [("iad", 8)]


def test_a_volume_needs_room_on_the_disk_for_each_machine() -> None:
    assert placed(count=8, volume_size_bytes=3 * 1024**3) == [("iad", 3)]


def test_nothing_is_placed_where_there_is_no_room_for_one() -> None:
    assert placed(compute={"memory_mb": 1024 * 1024}) == []
    assert placed(count=1, volume_size_bytes=2**60) == []


def test_a_null_means_what_leaving_it_out_means() -> None:
    nothing = dict.fromkeys(["compute", "count", "region", "volume_size_bytes", "weights"])
    assert placed(**nothing) == placed()


def test_a_zero_means_what_leaving_it_out_means_as_in_go() -> None:
    assert placed(compute={"memory_mb": 0}, count=0, volume_size_bytes=0) == placed()


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"org_slug": ""}, "org_slug"),
        ({"compute": {"memory_mb": -256}}, "compute.memory_mb"),
        ({"weights": {"spread": -1}}, "weights.spread"),
        ({"weights": {"region": 10**9}}, "weights.region"),
        ({"region": "syd"}, "syd"),
        ({"region": "a b"}, "a b"),
    ],
)
def test_what_is_wrong_is_refused_by_name(wanted: dict[str, Any], named: str) -> None:
    with pytest.raises(Refusal, match=named):
        placed(**wanted)


def test_this_computer_has_room_for_something(tmp_path: Path) -> None:
    assert Room.of_this_computer(tmp_path).machines(64, 1) > 0
