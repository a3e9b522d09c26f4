from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

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


def test_ids_have_the_forms_of_the_real_api() -> None:
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", new_ulid())
    assert re.fullmatch(r"[0-9a-f]{14}", new_machine_id())
    assert re.fullmatch(r"[0-9a-z]{16}", new_app_id())
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d{4}", new_machine_name())
