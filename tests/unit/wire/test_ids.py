from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import pytest

from ephemera.wire.ids import (
    UlidFactory,
    new_app_id,
    new_machine_id,
    new_machine_name,
    new_ulid,
)


def test_ulids_sort_in_the_order_they_were_made() -> None:
    made = [new_ulid() for _ in range(2000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ulids_made_by_many_threads_are_all_different() -> None:
    factory = UlidFactory()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: factory(), range(4000)))
    assert len(set(made)) == len(made)


def test_a_forked_child_and_its_parent_make_different_ones_in_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    parent = UlidFactory()
    last = parent()
    children = [copy(parent) for _ in range(3)]
    for child in children:
        child.start_afresh()
    made = [one() for one in (parent, *children)]
    assert len(set(made)) == len(made)
    assert all(last < one for one in made)


def test_ids_have_the_forms_of_the_real_api() -> None:
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", new_ulid())
    assert re.fullmatch(r"[0-9a-f]{14}", new_machine_id())
    assert re.fullmatch(r"[0-9a-z]{16}", new_app_id())
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d{4}", new_machine_name())
