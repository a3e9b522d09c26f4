"""Every step can be undone, or there is nothing to undo."""

from __future__ import annotations

from typing import get_args

import pytest

from ephemera.deploy.release.steps import (
    Change,
    Cordon,
    Create,
    Destroy,
    Label,
    Start,
    Step,
    Stop,
    Uncordon,
    Verify,
    undo,
)
from ephemera.deploy.release.telling import line
from tests.unit.deploy.release.machines import config

OLD, NEW = config("old"), config("new")
#: One of each kind.
STEPS: list[Step] = [
    kind("m", NEW, OLD)
    if kind is Change
    else kind("m", NEW)
    if kind is Create
    else kind("m", "leaving", "")
    if kind is Label
    else kind("m")
    for kind in get_args(Step)
]


@pytest.mark.parametrize(
    ("step", "back"),
    [
        (Create("m", NEW), (Stop("m"), Destroy("m"))),
        (Change("m", NEW, OLD), (Change("m", OLD, NEW), Verify("m", comes_back=True))),
        (Change("m", NEW, OLD, rests=True), (Change("m", OLD, NEW, rests=True),)),
        (Start("m"), (Stop("m"),)),
        (Stop("m"), (Start("m"), Verify("m", comes_back=True))),
        (Cordon("m"), (Uncordon("m"),)),
        (Uncordon("m"), (Cordon("m"),)),
        (Label("m", "leaving", ""), (Label("m", "", "leaving"),)),
        (Verify("m"), ()),
        (Destroy("m"), ()),
    ],
)
def test_a_step_is_undone_by_its_opposite(step: Step, back: tuple[Step, ...]) -> None:
    assert undo(step) == back


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_every_kind_of_step_has_an_undo_and_a_line_about_its_machine(step: Step) -> None:
    assert all(back.machine == "m" for back in undo(step))
    assert line(step) == "" or "m" in line(step).split()
