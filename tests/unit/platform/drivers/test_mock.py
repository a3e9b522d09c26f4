"""The words of the mock driver's script that the contract does not need."""

from __future__ import annotations

import asyncio

import pytest

from ephemera.errors import BootFailed, ImageUnavailable
from ephemera.platform.drivers.base import BootSpec, Exit
from ephemera.platform.drivers.mock import MockDriver


def _quiet(*_: str) -> None:
    pass


def _spec(*command: str) -> BootSpec:
    return BootSpec("m1", 1, "app", "any", "local", command, {})


def _run(*command: str) -> Exit:
    async def run() -> Exit:
        driver = MockDriver()
        return await driver.wait(await driver.start(_spec(*command), _quiet))

    return asyncio.run(run())


def test_oom_ends_by_the_memory_limit() -> None:
    found = _run("oom")
    assert (found.exit_code, found.signal, found.oom_killed) == (137, 9, True)


def test_lose_ends_seen_by_nobody() -> None:
    found = _run("lose")
    assert found.exit_code == -1
    assert found.error


def test_fail_boot_fails_for_the_reason_given() -> None:
    with pytest.raises(BootFailed, match="no room"):
        _run("fail-boot", "no", "room")


def test_no_image_has_no_image() -> None:
    with pytest.raises(ImageUnavailable):
        _run("no-image")


def test_a_machine_that_failed_to_boot_is_not_held() -> None:
    async def run() -> set[str]:
        driver = MockDriver()
        with pytest.raises(BootFailed):
            await driver.start(_spec("fail-boot"), _quiet)
        return await driver.machines()

    assert asyncio.run(run()) == set()


def test_machines_live_on_in_another_event_loop() -> None:
    driver = MockDriver()
    handle = asyncio.run(driver.start(_spec("run"), _quiet))

    async def end_it() -> Exit:
        waiting = asyncio.ensure_future(driver.wait(handle))
        await driver.signal(handle, 15)
        return await waiting

    assert asyncio.run(end_it()).signal == 15
    assert driver.signals == [(handle, 15, False)]
    assert driver.specs[handle].command == ("run",)
