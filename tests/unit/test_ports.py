"""Ports that tests are given: each once for a long time, and to one process only."""

from __future__ import annotations

from itertools import islice

import pytest

from ephemera.testing import serving


def test_none_is_given_twice_for_a_long_time() -> None:
    given = [serving.lasting_port() for _ in range(50)]
    assert len(set(given)) == len(given)


def test_no_process_is_given_one_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    shares = []
    for worker in ("gw0", "gw1", "gw2"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        shares.append(set(islice(serving._own_ports.__wrapped__(), 30_000)))
    assert all(len(share) > 7000 for share in shares)
    assert len(set.union(*shares)) == sum(map(len, shares))
