"""Regions, and what they have room for."""

from __future__ import annotations

from typing import Any

import pytest

from ephemera.testing.machines_api.subject import (
    AppUnderTest,
    Contract,
    Subject,
    answered,
    refused,
)


def _lower(said: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with its keys in lower case; Go's own form has capitals."""
    return {key.lower(): value for key, value in said.items()}


def _placed(http: Any, **wanted: Any) -> list[dict[str, Any]]:
    answer = answered(http.post("/v1/platform/placements", json=wanted)).json()
    return [_lower(row) for row in _lower(answer)["regions"] or ()]


class RegionsContract(Contract):
    """`GET /v1/platform/regions`."""

    def test_each_region_has_a_code_and_a_name(self, machines_api: Subject) -> None:
        with machines_api.connect() as http:
            regions = _lower(answered(http.get("/v1/platform/regions")).json())["regions"]
        assert regions
        assert all(one["code"] and one["name"] for one in regions)
        assert len({one["code"] for one in regions}) == len(regions)

    def test_the_nearest_region_is_one_of_them(self, machines_api: Subject) -> None:
        with machines_api.connect() as http:
            said = _lower(answered(http.get("/v1/platform/regions")).json())
        assert said["nearest"] in [one["code"] for one in said["regions"]]

    def test_a_machine_is_in_one_of_the_regions(self, app: AppUnderTest) -> None:
        said = _lower(answered(app.http.get("/v1/platform/regions")).json())
        machine = app.create(app.subject.programs.runs)
        assert machine["region"] in [one["code"] for one in said["regions"]]

    def test_a_region_may_be_asked_for_as_any_of_several(self, app: AppUnderTest) -> None:
        body = {"config": app.config(app.subject.programs.runs), "region": "iad,any"}
        assert app.post("/machines", json=body)["region"]

    @pytest.mark.parametrize("region", ["not a region", "../iad", "IAD;", "iad,,ewr", "\u0000"])
    def test_a_machine_is_not_made_where_no_region_is_meant(
        self, app: AppUnderTest, region: str
    ) -> None:
        body = {"config": app.config(app.subject.programs.runs), "region": region}
        refused(app.ask("POST", "/machines", json=body), 400, 404, 422)
        assert app.get("/machines") == []


class PlacementsContract(Contract):
    """`POST /v1/platform/placements`."""

    def test_a_few_small_machines_find_room(self, machines_api: Subject) -> None:
        with machines_api.connect() as http:
            rows = _placed(http, org_slug=machines_api.org, count=2, compute={"memory_mb": 256})
        assert sum(row["count"] for row in rows) == 2
        assert all(row["region"] for row in rows)

    def test_without_a_count_regions_say_how_much_room_they_have(
        self, machines_api: Subject
    ) -> None:
        with machines_api.connect() as http:
            rows = _placed(http, org_slug=machines_api.org, compute={"memory_mb": 256})
        assert all(row["count"] > 0 for row in rows)

    def test_a_simulation_makes_nothing(self, app: AppUnderTest) -> None:
        _placed(app.http, org_slug=app.subject.org, count=1, region="any")
        assert app.get("/machines") == []

    def test_weights_and_volumes_are_taken_into_account(self, machines_api: Subject) -> None:
        with machines_api.connect() as http:
            rows = _placed(
                http,
                org_slug=machines_api.org,
                count=1,
                compute={"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
                volume_name="data",
                volume_size_bytes=1024**2,
                weights={"region": 1000, "spread": 0},
            )
        assert [row["count"] for row in rows] == [1]

    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"org_slug": None}, "org_slug"),
            ({"org_slug": 7}, "org_slug"),
            ({"count": -1}, "count"),
            ({"count": "two"}, "count"),
            ({"count": 2**70}, "count"),
            ({"region": "a b"}, "region"),
            ({"region": ["iad"]}, "region"),
            ({"volume_size_bytes": -1}, "volume_size_bytes"),
            ({"volume_size_bytes": 2**70}, "volume_size_bytes"),
            ({"weights": {"region": "much"}}, "weights"),
            ({"compute": {"memory_mb": "big"}}, "compute"),
            ({"compute": "performance-1x"}, "compute"),
        ],
    )
    def test_a_request_that_is_wrong_is_refused_by_name(
        self, machines_api: Subject, wrong: dict[str, Any], named: str
    ) -> None:
        body = {"org_slug": machines_api.org, **wrong}
        with machines_api.connect() as http:
            why = refused(http.post("/v1/platform/placements", json=body), 400, 422)
        if why.startswith("invalid_argument"):
            assert named in why

    def test_a_request_without_an_organisation_is_refused(self, machines_api: Subject) -> None:
        with machines_api.connect() as http:
            refused(http.post("/v1/platform/placements", json={}), 400, 422)
            refused(http.post("/v1/platform/placements", content=b""), 400, 422)
