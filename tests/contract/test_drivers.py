"""Every driver keeps the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from ephemera.platform.drivers import open_driver
from ephemera.platform.drivers.mock import MockDriver
from ephemera.testing.drivers import CHECKS, Check, Programs, Subject, run_check
from tests import needs
from tests.images import busybox
from tests.one_driver import OF_TWO_DRIVERS, Run, one_driver
from tests.registry import Registry

#: More than a check takes at the very most: two hundred machines are started in one of them.
pytestmark = pytest.mark.timeout(180)


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


def _real(tmp_path: Path, driver: str, image: str = "host") -> Subject:
    programs = Programs(
        exits=lambda code: ["sh", "-c", f"exit {code}"],
        runs=["sleep", "1000"],
        ignores_term=["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1000; done"],
        prints=lambda line: ["echo", line],
        copies=["cat"],
        writes=lambda path, text: ["sh", "-c", 'echo "$1" > "$0"', path, text],
    )
    return Subject(lambda: open_driver(driver, tmp_path), programs, tmp_path / "logs", image)


def _process(tmp_path: Path) -> Subject:
    return _real(tmp_path, "process")


#: What depends on where a machine's files come from.
OF_FILES = (
    "reports_the_exit_code",
    "a_machine_can_be_booted_again",
    "exec_says_what_cannot_be_run",
    "a_missing_command_is_no_boot",
    "machines_outlive_the_driver",
    "a_volume_keeps_what_a_machine_writes",
    "a_terminal_shows_what_is_typed_and_printed",
    "a_terminal_needs_a_command_that_is_there",
    "what_a_boot_left_can_be_looked_at",
    "what_a_boot_left_can_be_exported",
)
_every_check = pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())


@pytest.mark.parametrize("make_subject", [_mock, _process], ids=["mock", "process"])
@_every_check
def test_the_driver(check: Check, make_subject: Callable[[Path], Subject], tmp_path: Path) -> None:
    asyncio.run(run_check(check, make_subject(tmp_path)))


@pytest.fixture(scope="module")
def kept_open(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with one_driver("container", tmp_path_factory.mktemp("home")) as run:
        yield run


@pytest.mark.root
@pytest.mark.crun
@needs.root
@needs.crun
class TestTheContainerDriver:
    @pytest.fixture
    def run(self, check: Check, request: pytest.FixtureRequest) -> Run:
        if check.__name__ not in OF_TWO_DRIVERS:
            return cast("Run", request.getfixturevalue("kept_open"))
        return lambda check, subject: asyncio.run(run_check(check, subject))

    @pytest.mark.parametrize("check", [CHECKS[name] for name in OF_FILES], ids=OF_FILES)
    def test_with_this_computers_files(self, check: Check, run: Run, tmp_path: Path) -> None:
        run(check, _real(tmp_path, "container"))

    @_every_check
    def test_with_an_image(
        self, check: Check, run: Run, registry: Registry, tmp_path: Path
    ) -> None:
        # without a command of its own: that there is none must be found out
        reference = registry.push("contract", busybox(cmd=[]))
        run(check, _real(tmp_path, "container", reference))
