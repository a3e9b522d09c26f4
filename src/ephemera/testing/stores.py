"""The contract of a job store: whatever keeps jobs must pass `check_store`.

Each check is a function of a fresh store; `STORE_CHECKS` has them all, for a test runner that
wants to name them one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ephemera.errors import IllegalMove, Stale
from ephemera.jobs.outcome import Asked, Cause, Ending, Outcome, Report
from ephemera.jobs.records import AttemptRecord, HostPlace, JobRecord, TaskRef, Work
from ephemera.jobs.states import JobState, Stage, StageEvent
from ephemera.jobs.store import LOG_LINES_KEPT, Store
from ephemera.wire.ids import new_ulid
from ephemera.wire.models import LogEntry

_EXITED = Ending("exited", exit_code=0)
_SUCCESS = Outcome(Cause.SUCCEEDED, "succeeded", value={"n": [1, None, "ü"]}, exit_code=0)


def check_store(make: Callable[[], Store]) -> None:
    """Run every check, each on a store that `make` returns fresh and empty.

    Raises:
        AssertionError: the store does not keep the contract.
    """
    for check in STORE_CHECKS:
        store = make()
        try:
            check(store)
        finally:
            store.close()


def _job(**changes: object) -> JobRecord:
    work = Work(
        app="jobs",
        image="host",
        task=TaskRef("shop.tasks", "bill"),
        args=(1, "ü", [True, None]),
        kwargs={"a": {"b": 0.5}},
        host=HostPlace("/usr/bin/python3", ("/srv",), "/srv", {"PATH": "/bin"}),
    )
    return replace(JobRecord(id=new_ulid(), work=work, created_at=1.5), **changes)  # type: ignore[arg-type]


def _attempt(job: JobRecord, number: int = 1) -> AttemptRecord:
    id_ = new_ulid()
    return AttemptRecord(id_, job.id, number, "jobs", f"job-{id_.lower()}", "http://x/", 2.0)


def _claimed(store: Store) -> tuple[JobRecord, AttemptRecord]:
    job = _job()
    attempt = _attempt(job)
    store.add_job(job)
    store.claim(job, attempt)
    return job, attempt


def _ended(store: Store, outcome: Outcome = _SUCCESS) -> tuple[JobRecord, AttemptRecord]:
    job, attempt = _claimed(store)
    attempt = store.move(attempt, StageEvent.MADE, machine_id="m1")
    attempt = store.move(attempt, StageEvent.EXIT_SEEN, ending=_EXITED)
    return job, store.finish(attempt, outcome, at=9.0)


def _at_once(acts: Sequence[Callable[[], object]]) -> None:
    """Have all of them done at the same time, as several processes would."""
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _stored_job(store: Store, job_id: str) -> JobRecord:
    found = store.job(job_id)
    assert found is not None, "a stored job is found by its id"
    return found


def _stored_attempt(store: Store, attempt_id: str) -> AttemptRecord:
    found = store.attempt(attempt_id)
    assert found is not None, "a stored attempt is found by its id"
    return found


def _is_stale(move: Callable[[], object]) -> bool:
    try:
        move()
    except Stale:
        return True
    return False


def a_job_is_read_as_it_was_written(store: Store) -> None:
    """Every field survives, and an unknown id is None."""
    job = _job()
    store.add_job(job)
    assert store.job(job.id) == job
    assert store.job(new_ulid()) is None
    assert store.attempt(new_ulid()) is None


def jobs_are_listed_newest_first_and_queued_oldest_first(store: Store) -> None:
    """Both lists are limited."""
    jobs = [_job() for _ in range(3)]
    for job in jobs:
        store.add_job(job)
    assert [job.id for job in store.jobs(limit=2)] == [jobs[2].id, jobs[1].id]
    assert [job.id for job in store.queued(limit=2)] == [jobs[0].id, jobs[1].id]
    assert store.jobs(state=JobState.ENDED) == []


def a_claim_moves_the_job_and_writes_the_attempt(store: Store) -> None:
    """Both, and the job is not queued any more."""
    job, attempt = _claimed(store)
    assert _stored_job(store, job.id).state is JobState.RUNNING
    assert _stored_job(store, job.id).attempts == 1
    assert store.attempts(job.id) == [attempt]
    assert store.under_way() == [attempt.id]
    assert store.queued(limit=10) == []


def a_job_is_claimed_once(store: Store) -> None:
    """Of many that claim at the same time one gets it; the others leave no attempt."""
    job = _job()
    store.add_job(job)
    won: list[AttemptRecord] = []

    def claim() -> None:
        attempt = _attempt(job)
        if not _is_stale(lambda: store.claim(job, attempt)):
            won.append(attempt)

    _at_once([claim] * 8)
    assert len(won) == 1
    assert store.attempts(job.id) == won


def a_job_that_is_cancelled_while_it_is_claimed_is_cancelled(store: Store) -> None:
    """Whichever comes first: it never starts, or is marked. Who cancels is not refused."""
    for _ in range(20):
        job = _job()
        store.add_job(job)
        attempt = _attempt(job)
        told: list[JobState | None] = []
        _at_once(
            [
                lambda: told.append(store.cancel(job.id, at=5.0)),  # noqa: B023 - called in here
                lambda: _is_stale(lambda: store.claim(job, attempt)),  # noqa: B023 - the same
            ]
        )
        (was,) = told
        stored = _stored_job(store, job.id)
        assert stored.cancel_requested_at == 5.0
        never_started = was is JobState.QUEUED
        assert (stored.state is JobState.ENDED) == never_started
        assert (store.attempts(job.id) == []) == never_started


def a_move_made_from_an_old_reading_is_stale(store: Store) -> None:
    """It changes nothing, whether it moves or only notes."""
    _, attempt = _claimed(store)
    moved = store.move(attempt, StageEvent.MADE, machine_id="m1")
    assert (moved.stage, moved.machine_id) == (Stage.WATCHED, "m1")
    assert _is_stale(lambda: store.move(attempt, StageEvent.MADE, machine_id="m2"))
    assert _is_stale(lambda: store.note(attempt, asked=Asked.CANCEL))
    assert store.attempt(attempt.id) == moved


def an_illegal_move_is_refused(store: Store) -> None:
    """The table says so, and nothing is written."""
    _, attempt = _claimed(store)
    try:
        store.move(attempt, StageEvent.KEEP)
    except IllegalMove:
        assert store.attempt(attempt.id) == attempt
        return
    raise AssertionError("an intended attempt was kept")


def an_outcome_is_written_once_to_job_and_attempt(store: Store) -> None:
    """The second one is stale, and the first stays."""
    job, attempt = _claimed(store)
    attempt = store.move(attempt, StageEvent.MADE, machine_id="m1")
    exited = store.move(attempt, StageEvent.EXIT_SEEN, ending=_EXITED, started_at=3.0)
    assert exited.ending == _EXITED
    assert store.finish(exited, _SUCCESS, at=9.0).stage is Stage.ENDED
    second = Outcome(Cause.LOST, "lost")
    assert _is_stale(lambda: store.finish(exited, second, at=10.0))
    ended = _stored_job(store, job.id)
    assert (ended.state, ended.outcome, ended.ended_at) == (JobState.ENDED, _SUCCESS, 9.0)
    assert _stored_attempt(store, attempt.id).outcome == _SUCCESS


def an_ended_attempt_is_under_way_until_it_is_settled(store: Store) -> None:
    """Its machine is still to be dealt with."""
    _, attempt = _ended(store)
    assert store.under_way() == [attempt.id]
    kept = store.move(attempt, StageEvent.KEEP)
    assert store.under_way() == []
    assert store.in_stage(Stage.KEPT) == [kept]
    store.move(kept, StageEvent.DESTROYED)
    assert store.in_stage(Stage.KEPT) == []


def a_queued_job_is_cancelled_at_once(store: Store) -> None:
    """It ends, and cannot be claimed by who read it before."""
    job = _job()
    store.add_job(job)
    assert store.cancel(job.id, at=5.0) is JobState.QUEUED
    ended = _stored_job(store, job.id)
    assert ended.outcome is not None
    assert ended.outcome.cause is Cause.CANCELLED
    assert _is_stale(lambda: store.claim(job, _attempt(job)))
    assert store.attempts(job.id) == []


def a_running_job_is_marked_for_cancelling(store: Store) -> None:
    """Repeating it keeps the first time; an ended job and an unknown one are left alone."""
    job, attempt = _claimed(store)
    assert store.cancelling() == []
    assert store.cancel(job.id, at=5.0) is JobState.RUNNING
    assert store.cancel(job.id, at=6.0) is JobState.RUNNING
    assert _stored_job(store, job.id).cancel_requested_at == 5.0
    assert store.cancelling() == [attempt.id]
    store.note(attempt, asked=Asked.CANCEL, asked_at=6.5)
    assert store.cancelling() == [], "its supervisor has taken notice"
    other, _ = _ended(store)
    assert store.cancel(other.id, at=7.0) is JobState.ENDED
    assert store.cancel(new_ulid(), at=7.0) is None


def a_job_can_be_cancelled_and_still_end(store: Store) -> None:
    """The mark does not make the supervisor's reading stale."""
    job, attempt = _claimed(store)
    store.cancel(job.id, at=5.0)
    attempt = store.move(attempt, StageEvent.MADE, machine_id="m1")
    attempt = store.move(attempt, StageEvent.EXIT_SEEN, ending=_EXITED)
    store.finish(attempt, _SUCCESS, at=9.0)
    assert store.cancelling() == []
    assert _stored_job(store, job.id).outcome == _SUCCESS


def a_retried_job_is_queued_and_keeps_its_attempts(store: Store) -> None:
    """The new attempt has the next number; a running job cannot be retried."""
    job, attempt = _ended(store)
    store.retry(_stored_job(store, job.id))
    again = _stored_job(store, job.id)
    assert (again.state, again.outcome, again.attempts) == (JobState.QUEUED, None, 1)
    second = _attempt(job, number=2)
    store.claim(again, second)
    assert [one.id for one in store.attempts(job.id)] == [attempt.id, second.id]
    try:
        store.retry(_stored_job(store, job.id))
    except IllegalMove:
        return
    raise AssertionError("a running job was retried")


def the_first_report_stays(store: Store) -> None:
    """A sign of life is noted, a second report is taken and dropped, a late one refused."""
    _, attempt = _claimed(store)
    first = Report("result", value=[1, {"a": None}])
    assert store.note_report(attempt.id, None, at=3.0)
    assert store.note_report(attempt.id, first, at=4.0)
    assert store.note_report(attempt.id, Report("error", error_type="E"), at=5.0)
    stored = _stored_attempt(store, attempt.id)
    assert (stored.report, stored.spoke_at) == (first, 5.0)
    assert stored.generation == attempt.generation, "a report does not make readings stale"
    _, ended = _ended(store)
    assert not store.note_report(ended.id, first, at=6.0)
    assert not store.note_report(new_ulid(), first, at=6.0)


def a_saved_log_replaces_the_one_before(store: Store) -> None:
    """Saving again is safe; the newest lines are kept."""
    _, attempt = _claimed(store)
    lines = [
        LogEntry(timestamp="2026-01-01T00:00:00.000000Z", provider="app", message=f"line {n} ü")
        for n in range(LOG_LINES_KEPT + 2)
    ]
    store.save_logs(attempt.id, lines[:2])
    assert store.logs(attempt.id) == lines[:2]
    store.save_logs(attempt.id, lines)
    assert store.logs(attempt.id) == lines[2:]
    store.save_logs(attempt.id, [])
    assert store.logs(attempt.id) == []


def one_supervisor_holds_the_lease(store: Store) -> None:
    """Until it is over or released; who holds it renews it."""
    assert store.lease() is None
    assert store.hold_lease("a", "http://a", now=100.0, ttl=5.0)
    assert store.hold_lease("a", "http://a2", now=102.0, ttl=5.0)
    assert not store.hold_lease("b", "http://b", now=106.9, ttl=5.0)
    store.release_lease("b")
    assert not store.hold_lease("b", "http://b", now=106.9, ttl=5.0)
    assert store.hold_lease("b", "http://b", now=107.0, ttl=5.0)
    store.release_lease("b")
    lease = store.lease()
    assert lease is not None
    assert (lease.holder, lease.url) == ("b", "http://b")
    assert store.hold_lease("c", "http://c", now=107.0, ttl=5.0)


def one_of_many_gets_the_first_lease(store: Store) -> None:
    """Also where they ask at the same time."""
    held: list[bool] = []

    def ask(name: str) -> None:
        held.append(store.hold_lease(name, "", now=1.0, ttl=5.0))

    _at_once([partial(ask, f"s{number}") for number in range(8)])
    assert sorted(held) == [False] * 7 + [True]


def the_identity_stays(store: Store) -> None:
    """Machines are marked with it, and tokens derived from it."""
    assert store.identity() == store.identity()
    assert len(store.identity().secret) >= 32


def jobs_that_ended_long_ago_are_forgotten_once_they_have_no_machine(store: Store) -> None:
    """With their attempts and logs, so many at a time; all others stay."""
    gone = list[tuple[JobRecord, AttemptRecord]]()
    for _ in range(3):
        job, attempt = _ended(store)
        line = LogEntry(timestamp="2026-01-01T00:00:00.000000Z", provider="app", message="said")
        store.save_logs(attempt.id, [line])
        store.move(attempt, StageEvent.DESTROYED)
        gone.append((job, attempt))
    _, kept = _ended(store)
    store.move(kept, StageEvent.KEEP)
    running, _ = _claimed(store)
    again, attempt = _ended(store)
    store.move(attempt, StageEvent.DESTROYED)
    store.retry(_stored_job(store, again.id))
    assert store.forget(9.0, limit=10) == 0, "they ended at 9.0, which is not before it"
    assert [store.forget(9.5, limit=2) for _ in range(3)] == [2, 1, 0]
    for job, attempt in gone:
        assert store.job(job.id) is None
        assert store.attempts(job.id) == []
        assert store.logs(attempt.id) == []
    assert {job.id for job in store.jobs()} == {kept.job_id, running.id, again.id}


STORE_CHECKS: tuple[Callable[[Store], None], ...] = (
    a_job_is_read_as_it_was_written,
    jobs_are_listed_newest_first_and_queued_oldest_first,
    a_claim_moves_the_job_and_writes_the_attempt,
    a_job_is_claimed_once,
    a_job_that_is_cancelled_while_it_is_claimed_is_cancelled,
    a_move_made_from_an_old_reading_is_stale,
    an_illegal_move_is_refused,
    an_outcome_is_written_once_to_job_and_attempt,
    an_ended_attempt_is_under_way_until_it_is_settled,
    a_queued_job_is_cancelled_at_once,
    a_running_job_is_marked_for_cancelling,
    a_job_can_be_cancelled_and_still_end,
    a_retried_job_is_queued_and_keeps_its_attempts,
    the_first_report_stays,
    a_saved_log_replaces_the_one_before,
    jobs_that_ended_long_ago_are_forgotten_once_they_have_no_machine,
    one_supervisor_holds_the_lease,
    one_of_many_gets_the_first_lease,
    the_identity_stays,
)
