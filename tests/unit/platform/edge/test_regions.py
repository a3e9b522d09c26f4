from __future__ import annotations

import pytest

from ephemera.platform.edge import views
from ephemera.platform.edge.regions import PLACES, choose, matching
from ephemera.platform.refusals import Refusal
from ephemera.platform.settings import AREAS

THREE = ("iad", "ewr", "fra")
DEFAULT = ("local",)


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("", "iad"),
        ("fra", "fra"),
        ("lhr,fra", "fra"),
        ("ewr,iad", "ewr"),
        ("any", "iad"),
        ("eu", "fra"),
        ("us", "iad"),
        ("usa", "iad"),
        ("na", "iad"),
        ("lhr,any", "iad"),
        ("apac,sa,eu", "fra"),
    ],
)
def test_the_first_region_that_is_meant_and_is_there_is_chosen(
    expression: str, chosen: str
) -> None:
    assert choose(expression, THREE) == chosen


def test_a_part_of_the_world_means_its_regions_in_the_order_of_the_platform() -> None:
    assert matching("fra,us,any", THREE) == ["fra", "iad", "ewr"]


@pytest.mark.parametrize("area", sorted(AREAS))
def test_every_word_that_no_region_may_be_called_means_some(area: str) -> None:
    meant = matching(area, tuple(PLACES))
    assert meant
    assert area not in meant


def test_any_means_also_regions_of_which_nobody_knows_where_they_are() -> None:
    assert matching("any", ("attic", "iad")) == ["attic", "iad"]


@pytest.mark.parametrize("expression", ["lhr", "apac", "nowhere", "lhr,syd"])
def test_a_region_that_is_not_there_is_refused_with_those_that_are(expression: str) -> None:
    with pytest.raises(Refusal, match=f"'{expression}'.*: iad, ewr, fra") as caught:
        choose(expression, THREE)
    assert caught.value.status == 400


@pytest.mark.parametrize("expression", ["", "iad", "eu", "any", "nowhere", "lhr,eu"])
def test_the_platform_with_only_the_region_local_takes_every_expression(expression: str) -> None:
    assert choose(expression, DEFAULT) == "local"


@pytest.mark.parametrize(
    "expression", [",", "iad,", "IAD", "i d", "../x", "iad\n", "\0", "é", "a" * 33, "a," * 65 + "a"]
)
@pytest.mark.parametrize("available", [THREE, DEFAULT])
def test_what_is_no_expression_is_refused(expression: str, available: tuple[str, ...]) -> None:
    with pytest.raises(Refusal, match="is not a region code"):
        choose(expression, available)


def test_every_place_is_on_the_earth() -> None:
    assert all(-90 < place.latitude < 90 for place in PLACES.values())
    assert all(-180 < place.longitude < 180 for place in PLACES.values())


def test_a_region_shows_where_it_is_only_if_that_is_known() -> None:
    shown = views.regions(("iad", "attic"))
    assert shown["nearest"] == "iad"
    known, unknown = shown["regions"]
    assert known["geo_region"] == "north_america"
    assert unknown["name"] == "attic"
    assert "latitude" not in unknown
