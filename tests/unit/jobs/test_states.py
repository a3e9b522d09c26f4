from __future__ import annotations

import pytest

from ephemera.errors import IllegalMove
from ephemera.jobs.states import (
    JOB_MOVES,
    STAGE_MOVES,
    UNDECIDED,
    UNDER_WAY,
    JobEvent,
    JobState,
    Stage,
    StageEvent,
    after,
)


def reachable(moves: dict[Stage, dict[StageEvent, Stage]], start: Stage) -> set[Stage]:
    found, fresh = {start}, {start}
    while fresh:
        fresh = {target for stage in fresh for target in moves[stage].values()} - found
        found |= fresh
    return found


def test_every_state_and_stage_has_a_row() -> None:
    assert set(JOB_MOVES) == set(JobState)
    assert set(STAGE_MOVES) == set(Stage)


def test_every_event_moves_something() -> None:
    assert {event for row in JOB_MOVES.values() for event in row} == set(JobEvent)
    assert {event for row in STAGE_MOVES.values() for event in row} == set(StageEvent)


def test_every_stage_is_reached_from_the_first_and_leads_to_gone() -> None:
    assert reachable(STAGE_MOVES, Stage.INTENDED) == set(Stage)
    for stage in Stage:
        assert Stage.GONE in reachable(STAGE_MOVES, stage)


def test_no_stage_is_entered_twice() -> None:
    for stage in Stage:
        for target in STAGE_MOVES[stage].values():
            assert stage not in reachable(STAGE_MOVES, target)


def test_every_undecided_stage_leads_to_an_outcome_and_no_other_does() -> None:
    for stage in Stage:
        assert (Stage.ENDED in reachable(STAGE_MOVES, stage)) == (
            stage in UNDECIDED or stage is Stage.ENDED
        )


def test_what_is_settled_is_not_under_way() -> None:
    assert set(Stage) - UNDER_WAY == {Stage.KEPT, Stage.GONE}


def test_a_job_that_ended_can_only_be_retried() -> None:
    assert JOB_MOVES[JobState.ENDED] == {JobEvent.RETRY: JobState.QUEUED}


def test_a_move_that_is_not_in_the_table_is_illegal() -> None:
    with pytest.raises(IllegalMove):
        after(JobState.ENDED, JobEvent.END)
    with pytest.raises(IllegalMove):
        after(Stage.WATCHED, StageEvent.DECIDED)


def test_an_event_of_the_other_table_is_illegal() -> None:
    with pytest.raises(IllegalMove):
        after(Stage.INTENDED, JobEvent.CLAIM)  # type: ignore[call-overload]
