"""Every driver keeps the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from ephemera.platform.drivers import open_driver
from ephemera.platform.drivers.mock import MockDriver
from ephemera.testing.drivers import CHECKS, Check, Programs, Subject, run_check


def _mock(tmp_path: Path) -> Subject:
    driver = MockDriver()
    programs = Programs(
        exits=lambda code: ["exit", str(code)],
        runs=["run"],
        ignores_term=["ignore-term"],
        prints=lambda line: ["print", line],
        copies=["cat"],
        writes=lambda path, text: ["write", path, text],
    )
    return Subject(lambda: driver, programs, tmp_path / "logs")


def _process(tmp_path: Path) -> Subject:
    programs = Programs(
        exits=lambda code: ["sh", "-c", f"exit {code}"],
        runs=["sleep", "1000"],
        ignores_term=["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1000; done"],
        prints=lambda line: ["echo", line],
        copies=["cat"],
        writes=lambda path, text: ["sh", "-c", 'echo "$1" > "$0"', path, text],
    )
    return Subject(lambda: open_driver("process", tmp_path), programs, tmp_path / "logs")


@pytest.mark.parametrize("make_subject", [_mock, _process], ids=["mock", "process"])
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_the_driver(check: Check, make_subject: Callable[[Path], Subject], tmp_path: Path) -> None:
    asyncio.run(run_check(check, make_subject(tmp_path)))
