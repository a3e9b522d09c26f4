from __future__ import annotations

import signal
import threading

from ephemera.jobs.stores.memory import MemoryStore
from tests.jobstores import forked, job

_LONG_S = 30


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
        signal.alarm(_LONG_S)  # its end, where it waits for ever
        store.forget_connections()
        store.add_job(job())

    try:
        assert forked(use) == 0
    finally:
        over.set()
        thread.join()
