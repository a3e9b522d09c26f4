"""What is worked out once for each change decides as what is worked out for each request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ephemera.platform.proxy.choice import Candidate, Phase, Wish, choose
from ephemera.platform.proxy.load import Loads
from ephemera.platform.proxy.ready import Ready

WHERE = (80, False)


def post(number: int, soft_limit: int = 2) -> Any:
    """Return what is read of a machine."""
    record = SimpleNamespace(id=f"m{number}")
    return SimpleNamespace(
        record=record, offer=SimpleNamespace(internal_port=8080, soft_limit=soft_limit)
    )


def loads(*held: int) -> Loads:
    """Return how much machines have to do, in the order of their numbers."""
    found = Loads(lambda: 0.0)
    for number, seats in enumerate(held):
        for _ in range(seats):
            found.take(f"m{number}", 8080)
    return found


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Phase.READY, Phase.RESTING, Phase.OUT]),
            st.integers(min_value=0, max_value=6),
            st.integers(min_value=1, max_value=4),
        ),
        max_size=6,
    )
)
def test_a_request_goes_where_it_would_without(machines: list[tuple[Phase, int, int]]) -> None:
    posts = [post(number, soft) for number, (_, _, soft) in enumerate(machines)]
    phases = {one.record.id: phase for one, (phase, _, _) in zip(posts, machines, strict=True)}
    ready = Ready(
        loads(*(load for _, load, _ in machines)),
        lambda one: phases[one.record.id] is Phase.READY,
    )
    found = ready.least_loaded("app", WHERE, posts)
    candidates = [
        Candidate(f"m{number}", "ams", phase, load, soft)
        for number, (phase, load, soft) in enumerate(machines)
    ]
    choice = choose(candidates, Wish())
    if found:
        assert (choice.take, choice.bring) == (found.record.id, "")
    else:
        assert not choice.take or choice.bring or _none_has_room(machines)


def _none_has_room(machines: list[tuple[Phase, int, int]]) -> bool:
    return all(load >= soft for phase, load, soft in machines if phase is Phase.READY)


def test_nothing_is_asked_of_a_machine_again_until_something_changes() -> None:
    asked: list[str] = []
    held = loads(1, 0)
    posts = [post(0), post(1)]

    def is_ready(one: Any) -> bool:
        asked.append(one.record.id)
        return True

    ready = Ready(held, is_ready)
    for _ in range(3):
        taken: Any = ready.least_loaded("app", WHERE, posts)
        held.take(taken.record.id, 8080)
    assert asked == ["m0", "m1"]
    assert held.of_services([("m0", 8080), ("m1", 8080)]) == [2, 2]
    assert ready.least_loaded("app", WHERE, posts) is None
    ready.changed()
    ready.least_loaded("app", WHERE, posts)
    assert asked == ["m0", "m1"] * 2
