"""What is done with which machine, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ephemera.deploy.release import labels
from ephemera.deploy.release.plan import Plan, Strategy, Wanted, plan
from ephemera.deploy.release.steps import Change, Create, Step
from ephemera.wire.models import Machine, MachineConfig
from tests.unit.deploy.release.machines import config, machine


def words(steps: Sequence[Step]) -> list[str]:
    """Return steps as words, without labels, which go along with everything."""
    return [
        f"{type(step).__name__.lower()} {step.machine}"
        for step in steps
        if type(step).__name__ != "Label"
    ]


def planned(
    present: Sequence[Machine],
    strategy: Strategy = "rolling",
    *,
    count: int | None = None,
    new: MachineConfig | None = None,
    max_unavailable: float = 0.33,
) -> Plan:
    wanted = new or config()
    one = Wanted("app", len(present) if count is None else count, lambda *_: wanted)
    return plan(present, [one], strategy, max_unavailable=max_unavailable)


def test_the_first_machine_is_well_before_anybody_is_sent_to_it() -> None:
    found = planned([], count=1)
    assert words(found.steps) == ["create app-1", "verify app-1", "uncordon app-1"]
    assert found.ending == ()


def test_the_only_machine_serves_until_another_one_does() -> None:
    found = planned([machine("app-1")])
    assert words(found.steps) == [
        "create app-2",
        "verify app-2",
        "uncordon app-2",
        "cordon app-1",
        "drain app-1",
        "stop app-1",
    ]
    assert words(found.ending) == ["destroy app-1"]


def test_a_machine_that_offers_nothing_is_never_there_twice() -> None:
    found = planned([machine("app-1", offers=False)], new=config(offers=False))
    assert words(found.steps) == ["change app-1", "verify app-1"]


def test_a_machine_with_a_volume_keeps_it() -> None:
    found = planned([machine("app-1", volume="vol_1")], new=config(volume="vol_1"))
    assert words(found.steps) == [
        "cordon app-1",
        "drain app-1",
        "change app-1",
        "verify app-1",
        "uncordon app-1",
    ]


def test_what_comes_back_is_not_busy_with_what_was_before() -> None:
    present = machine("app-1", offers=False, said={"ephemera_busy": "jobs", "theirs": "stays"})
    (change, *_) = planned([present], new=config(offers=False)).steps
    assert isinstance(change, Change)
    assert change.before.metadata == {labels.GROUP: "app", "theirs": "stays"}


@pytest.mark.parametrize("strategy", ["rolling", "bluegreen", "immediate"])
def test_another_volume_takes_another_machine(strategy: Strategy) -> None:
    present = [machine("app-1", volume="vol_1"), machine("app-2", volume="vol_2")]
    found = planned(present, strategy, new=config())
    assert [one for one in words(found.steps) if one.startswith("create")] == [
        "create app-3",
        "create app-4",
    ]
    assert words(found.ending) == ["destroy app-1", "destroy app-2"]


def test_several_machines_are_changed_one_after_another() -> None:
    found = planned([machine("app-1"), machine("app-2")])
    each = ["cordon", "drain", "change", "verify", "uncordon"]
    assert words(found.steps) == [f"{word} app-{n}" for n in (1, 2) for word in each]


@pytest.mark.parametrize(
    ("count", "max_unavailable", "batches"),
    [(6, 0.33, [1] * 6), (6, 0.5, [3, 3]), (5, 2, [2, 2, 1]), (3, 0.01, [1, 1, 1]), (2, 9, [2])],
)
def test_so_many_may_be_away_at_a_time(
    count: int, max_unavailable: float, batches: list[int]
) -> None:
    present = [machine(f"app-{n}") for n in range(1, count + 1)]
    found = words(planned(present, max_unavailable=max_unavailable).steps)
    away = 0
    seen: list[tuple[int, int]] = []
    for word in found:
        away += word.startswith("cordon") - word.startswith("uncordon")
        if word.startswith("verify") and (not seen or seen[-1][1] != away):
            seen.append((len(seen), away))
    assert max(size for _, size in seen) == max(batches)
    assert sum(word.startswith("verify") for word in found) == count


def test_machines_at_rest_come_first_and_one_of_them_shows_that_the_release_works() -> None:
    present = [
        machine("app-1"),
        machine("app-2", state="stopped"),
        machine("app-3", state="suspended"),
    ]
    found = planned(present)
    assert words(found.steps)[:6] == [
        "cordon app-2",
        "change app-2",
        "start app-2",
        "verify app-2",
        "uncordon app-2",
        "cordon app-3",
    ]
    assert "verify app-3" not in words(found.steps)
    assert words(found.steps)[-1] == "uncordon app-1"


def test_a_machine_that_stands_by_is_not_started() -> None:
    standby = machine("app-2", state="stopped", offers=False)
    new = config(offers=False, standbys=["id-app-1"])
    found = planned([standby], new=new)
    assert words(found.steps) == ["change app-2"]


def test_blue_serves_until_all_of_green_does() -> None:
    found = words(planned([machine("app-1"), machine("app-2")], "bluegreen").steps)
    assert found[:6] == [
        "create app-3",
        "create app-4",
        "verify app-3",
        "verify app-4",
        "uncordon app-3",
        "uncordon app-4",
    ]
    assert found.index("uncordon app-4") < found.index("cordon app-1")


def test_a_canary_is_tried_before_any_machine_that_serves_is_touched() -> None:
    found = words(planned([machine("app-1"), machine("app-2")], "canary").steps)
    assert found[:4] == ["create app-3", "verify app-3", "stop app-3", "destroy app-3"]
    assert "uncordon app-3" not in found


def test_nobody_waits_for_what_is_immediate() -> None:
    found = planned([machine("app-1"), machine("app-2")], "immediate")
    assert words(found.steps) == ["change app-1", "change app-2"]


def test_groups_that_are_not_wanted_go_last_of_all() -> None:
    old = machine("work-1", group="work", offers=False)
    found = plan([machine("app-1"), old], [Wanted("app", 1, lambda *_: config())], "rolling")
    assert words(found.steps)[-1] == "stop work-1"
    assert words(found.ending) == ["destroy app-1", "destroy work-1"]


def test_a_number_alone_leaves_machines_as_they_are() -> None:
    present = [machine("app-1"), machine("work-1", group="work")]
    one = Wanted("app", 2, lambda *_: config(), ["ams"])
    found = plan(present, [one], "rolling", only_count=True)
    assert words(found.steps) == ["create app-2", "verify app-2", "uncordon app-2"]
    none = plan(present, [Wanted("app", 0, lambda *_: config())], "rolling", only_count=True)
    assert words(none.steps) == ["cordon app-1", "drain app-1", "stop app-1"]
    assert words(none.ending) == ["destroy app-1"]


def test_of_too_many_those_at_rest_go_and_then_the_newest() -> None:
    present = [machine("app-1", state="stopped"), machine("app-2"), machine("app-3")]
    found = planned(present, count=1)
    assert words(found.ending) == ["destroy app-2", "destroy app-3", "destroy app-1"]


def test_names_that_others_have_are_left_to_them() -> None:
    found = plan([], [Wanted("app", 2, lambda *_: config())], "rolling", names_taken=["app-1"])
    created = [step.machine for step in found.steps if isinstance(step, Create)]
    assert created == ["app-2", "app-3"]


def test_new_machines_are_spread_over_regions() -> None:
    found = plan([], [Wanted("app", 3, lambda *_: config(), ["ams", "fra"])], "rolling")
    regions = [step.region for step in found.steps if isinstance(step, Create)]
    assert regions == ["ams", "fra", "ams"]


def test_a_replacement_is_where_the_one_before_it_was() -> None:
    (created,) = (step for step in planned([machine("app-1")]).steps if isinstance(step, Create))
    assert created.region == "ams"


@pytest.mark.parametrize("strategy", ["rolling", "bluegreen", "canary", "immediate"])
def test_whatever_is_under_way_is_labelled_until_it_is_done(strategy: Strategy) -> None:
    present = [machine("app-1"), machine("app-2", state="stopped")]
    found = planned(present, strategy, count=3)
    marked = {
        step.machine
        for step in found.steps
        if isinstance(step, Create | Change) and (step.config.metadata or {}).get(labels.HALF_DONE)
    }
    assert marked == {step.machine for step in found.steps if isinstance(step, Create | Change)}
