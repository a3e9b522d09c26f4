"""Which machine gets a request: each rule by itself, and what holds whatever there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ephemera.platform.proxy.choice import Candidate, Choice, Phase, Wish, choose

READY, COMING, RESTING, OUT = Phase.READY, Phase.COMING, Phase.RESTING, Phase.OUT


def one(name: str, phase: Phase = READY, load: int = 0, region: str = "ams") -> Candidate:
    """A machine whose soft limit is 2 and whose hard limit is 4."""
    return Candidate(name, region, phase, load, 2, 4)


@pytest.mark.parametrize(
    ("machines", "choice"),
    [
        ([], Choice()),
        ([one("a", OUT)], Choice()),
        ([one("a", load=1), one("b")], Choice(take="b")),
        ([one("a", load=1), one("b", RESTING)], Choice(take="a")),
        ([one("a", load=2), one("b", load=3)], Choice(take="a")),
        # all are above their soft limit: one more is brought up, and nobody waits for it
        ([one("a", load=2), one("b", RESTING)], Choice(take="a", bring="b")),
        # none has room
        ([one("a", load=4), one("b", RESTING)], Choice(bring="b")),
        ([one("a", load=4)], Choice(wait=True)),
        # none runs; one that is on its way is waited for before another is started
        ([one("a", RESTING)], Choice(bring="a")),
        ([one("a", RESTING), one("b", COMING)], Choice(bring="b")),
        ([one("a", OUT), one("b", RESTING)], Choice(bring="b")),
    ],
)
def test_the_least_loaded_machine_gets_a_request_and_another_is_started_in_need(
    machines: list[Candidate], choice: Choice
) -> None:
    assert choose(machines, Wish()) == choice


FOUR = [
    one("a", load=1),
    one("b", load=1, region="fra"),
    one("c", RESTING, region="iad"),
    one("d", load=3, region="fra"),
]


@pytest.mark.parametrize(
    ("wish", "choice"),
    [
        (Wish(instance="d"), Choice(take="d")),
        (Wish(instance="c"), Choice(bring="c")),
        (Wish(instance="x"), Choice()),
        (Wish(prefer_instance="d"), Choice(take="d")),
        (Wish(prefer_instance="c"), Choice(take="a")),
        (Wish(prefer_instance="x"), Choice(take="a")),
        (Wish(prefer_region="fra"), Choice(take="b")),
        (Wish(prefer_region="iad"), Choice(take="a")),
        (Wish(regions=("fra",)), Choice(take="b")),
        (Wish(regions=("iad", "fra")), Choice(take="b")),
        (Wish(regions=("iad",)), Choice(bring="c")),
        (Wish(regions=("lhr",)), Choice()),
        (Wish(avoid=frozenset("a")), Choice(take="b")),
        (Wish(avoid=frozenset("abd")), Choice(bring="c")),
        (Wish(instance="a", avoid=frozenset("a")), Choice()),
    ],
)
def test_a_request_goes_where_it_is_wished_to_go(wish: Wish, choice: Choice) -> None:
    assert choose(FOUR, wish) == choice


_CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.sampled_from("abcdef"),
        st.sampled_from(["ams", "fra"]),
        st.sampled_from(list(Phase)),
        st.integers(0, 5),
        st.just(2),
        st.just(4),
    ),
    unique_by=lambda candidate: candidate.id,
)
_WISHES = st.builds(
    Wish,
    st.sampled_from(["", "a"]),
    st.sampled_from([(), ("fra",), ("fra", "ams")]),
    st.sampled_from(["", "b"]),
    st.sampled_from(["", "fra"]),
    st.frozensets(st.sampled_from("abcdef"), max_size=2),
)


@given(_CANDIDATES, _WISHES)
def test_whatever_there_is_nobody_gets_more_than_his_hard_limit_or_what_he_may_not_have(
    machines: list[Candidate], wish: Wish
) -> None:
    choice = choose(machines, wish)
    by_id = {machine.id: machine for machine in machines}
    for chosen in filter(None, (choice.take, choice.bring)):
        assert chosen not in wish.avoid
        assert wish.instance in ("", chosen)
        assert not wish.regions or by_id[chosen].region in wish.regions
    if choice.take:
        assert by_id[choice.take].phase is READY
        assert by_id[choice.take].load < by_id[choice.take].hard_limit
    if choice.bring:
        assert by_id[choice.bring].phase in (COMING, RESTING)
    assert not (choice.wait and (choice.take or choice.bring))
