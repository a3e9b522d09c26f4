"""What becomes of what a killed release has left."""

from __future__ import annotations

from ephemera.deploy.release import labels
from ephemera.deploy.release.mending import mend
from ephemera.deploy.release.steps import Change
from ephemera.wire.models import Machine, MachineVersion
from tests.unit.deploy.release.machines import config, machine
from tests.unit.deploy.release.test_plan import words


def old(name: str, label: str = "", *, group: str = "app") -> Machine:
    return _of(name, "1", label, group)


def new(name: str, label: str = "", *, group: str = "app") -> Machine:
    return _of(name, "2", label, group)


def _of(name: str, release: str, label: str, group: str) -> Machine:
    said = {labels.RELEASE_ID: release, labels.RELEASE_VERSION: release}
    half = {labels.HALF_DONE: label} if label else {}
    return machine(name, group=group, said=said | half)


def test_where_nothing_was_under_way_nothing_is_done() -> None:
    assert mend([old("app-1"), new("app-2")], {}) == []


def test_a_machine_that_was_made_goes_and_the_one_before_it_serves() -> None:
    steps = mend([old("app-1"), new("app-2", labels.CREATED)], {})
    assert words(steps) == ["uncordon app-1", "stop app-2", "destroy app-2"]


def test_an_old_machine_comes_back_where_not_all_of_the_new_ones_are_well() -> None:
    present = [old("app-1", labels.LEAVING), new("app-2", labels.CREATED)]
    assert words(mend(present, {})) == [
        "start app-1",
        "verify app-1",
        "uncordon app-1",
        "stop app-2",
        "destroy app-2",
    ]


def test_an_old_machine_goes_where_the_new_ones_are_all_well() -> None:
    steps = mend([old("app-1", labels.LEAVING), new("app-2")], {})
    assert words(steps) == ["uncordon app-2", "stop app-1", "destroy app-1"]


def test_when_one_of_the_new_ones_is_known_to_be_the_one_to_have_all_are() -> None:
    present = [
        old("app-1", labels.LEAVING),
        new("app-2"),
        new("work-1", labels.CHANGED, group="work"),
    ]
    assert words(mend(present, {})) == [
        "uncordon app-2",
        "uncordon work-1",
        "stop app-1",
        "destroy app-1",
    ]


def test_a_machine_that_was_changed_gets_the_config_of_the_release_before() -> None:
    def version(number: str, image: str) -> MachineVersion:
        said = {labels.RELEASE_VERSION: number, labels.HALF_DONE: labels.CHANGED}
        return MachineVersion(user_config=config(image, metadata=said))

    versions = [version("2", "broken"), version("1", "good"), version("0", "older")]
    changed = new("app-1", labels.CHANGED)
    first, *_ = steps = mend([changed], {changed.id: versions})
    assert words(steps) == ["change app-1", "verify app-1", "uncordon app-1"]
    assert isinstance(first, Change)
    assert first.config.image == "good"
    assert labels.HALF_DONE not in (first.config.metadata or {})


def test_a_machine_of_which_nobody_knows_what_it_was_stays_as_it_is() -> None:
    changed = new("app-1", labels.CHANGED)
    assert words(mend([changed], {changed.id: []})) == ["uncordon app-1"]


def test_one_more_of_the_same_goes_if_nobody_has_seen_that_it_is_well() -> None:
    steps = mend([new("app-1"), new("app-2", labels.ADDED)], {})
    assert words(steps) == ["uncordon app-1", "stop app-2", "destroy app-2"]
