from __future__ import annotations

import threading

from ephemera.jobs.stores.memory import MemoryStore
from tests.jobstores import forked, job


def test_a_forked_child_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    store, held, over = MemoryStore(), threading.Event(), threading.Event()

    def be_at_it() -> None:
        with store._lock:
            held.set()
            over.wait()

    thread = threading.Thread(target=be_at_it)
    thread.start()
    held.wait()

    def use() -> None:
        store.forget_connections()
        added = threading.Thread(target=store.add_job, args=(job(),), daemon=True)
        added.start()
        added.join(10)
        assert not added.is_alive(), "it waits for ever"

    try:
        assert forked(use) == 0
    finally:
        over.set()
        thread.join()
