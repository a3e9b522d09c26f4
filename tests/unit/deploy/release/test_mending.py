"""What becomes of what a killed release has left."""

from __future__ import annotations

from ephemera.deploy.release import labels
from ephemera.deploy.release.mending import mend
from ephemera.deploy.release.steps import Change
from ephemera.wire.models import Machine, MachineVersion
from tests.unit.deploy.release.machines import config, machine
from tests.unit.deploy.release.test_plan import words


def half(name: str, label: str, version: str = "2") -> Machine:
    return machine(name, said={labels.HALF_DONE: label, labels.RELEASE_VERSION: version})


def test_where_nothing_was_under_way_nothing_is_done() -> None:
    assert mend([machine("app-1"), machine("app-2", state="stopped")], {}) == []


def test_a_machine_that_was_made_goes_and_the_one_before_it_serves() -> None:
    steps = mend([machine("app-1"), half("app-2", labels.CREATED)], {})
    assert words(steps) == ["uncordon app-1", "stop app-2", "destroy app-2"]


def test_an_old_machine_that_was_to_go_comes_back_where_nobody_has_its_place() -> None:
    present = [half("app-1", labels.LEAVING), half("app-2", labels.CREATED)]
    assert words(mend(present, {})) == [
        "start app-1",
        "uncordon app-1",
        "stop app-2",
        "destroy app-2",
    ]


def test_an_old_machine_whose_place_is_taken_goes() -> None:
    steps = mend([half("app-1", labels.LEAVING), machine("app-2")], {})
    assert words(steps) == ["uncordon app-2", "stop app-1", "destroy app-1"]


def test_the_place_of_a_machine_is_in_its_own_group() -> None:
    present = [half("app-1", labels.LEAVING), machine("work-1", group="work")]
    assert "start app-1" in words(mend(present, {}))


def test_a_machine_that_was_changed_gets_the_config_of_the_release_before() -> None:
    def version(number: str, image: str) -> MachineVersion:
        said = {labels.RELEASE_VERSION: number, labels.HALF_DONE: labels.CHANGED}
        return MachineVersion(user_config=config(image, metadata=said))

    versions = [version("2", "broken"), version("1", "good"), version("0", "older")]
    changed = half("app-1", labels.CHANGED)
    first, *_ = steps = mend([changed], {changed.id: versions})
    assert words(steps) == ["change app-1", "uncordon app-1"]
    assert isinstance(first, Change)
    assert first.config.image == "good"
    assert labels.HALF_DONE not in (first.config.metadata or {})


def test_a_machine_of_which_nobody_knows_what_it_was_stays_as_it_is() -> None:
    changed = half("app-1", labels.CHANGED)
    assert words(mend([changed], {changed.id: []})) == ["uncordon app-1"]
