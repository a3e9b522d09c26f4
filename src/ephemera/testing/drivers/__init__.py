"""The contract of drivers: what `platform/drivers/base.py` promises, as checks of any driver.

Whoever writes a driver describes it by a `Subject` and runs every check of `CHECKS`, one test
each, or all of them by `check_driver`. A check fails with an AssertionError that says which
promise was broken.
"""

from __future__ import annotations

from collections.abc import Callable

from ephemera.testing.drivers import abilities, promises, terminals
from ephemera.testing.drivers.subject import Check, Programs, Subject, opened

__all__ = ["CHECKS", "Check", "Programs", "Subject", "check_driver", "run_check"]

#: Every check, by its name.
CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        promises.reports_the_exit_code,
        promises.reports_the_signal_that_ended_it,
        promises.a_program_may_ignore_a_signal_but_not_a_kill,
        promises.a_repeated_start_runs_nothing_twice,
        promises.everybody_who_waits_is_told,
        promises.machines_outlive_the_driver,
        promises.a_machine_can_be_booted_again,
        promises.output_becomes_lines_of_the_log,
        promises.exec_runs_a_command_beside_the_program,
        promises.exec_says_what_cannot_be_run,
        promises.a_missing_command_is_no_boot,
        promises.an_image_it_cannot_run_is_refused,
        promises.destroy_ends_and_forgets,
        promises.destroy_reaches_machines_of_an_earlier_driver,
        promises.what_nobody_knows_is_no_accident,
        promises.a_signal_after_the_end_is_no_error,
        abilities.a_suspended_machine_goes_on_when_it_is_resumed,
        abilities.a_suspended_machine_can_be_killed,
        abilities.ps_lists_what_runs,
        abilities.the_first_program_that_ends_ends_the_machine,
        abilities.a_volume_keeps_what_a_machine_writes,
        abilities.memory_is_limited_and_taken_back,
        terminals.a_terminal_shows_what_is_typed_and_printed,
        terminals.a_terminal_may_be_over_at_once,
        terminals.hanging_up_kills_what_runs_in_a_terminal,
        terminals.a_terminal_ends_with_its_machine,
        terminals.a_terminal_needs_a_command_that_is_there,
        terminals.what_a_boot_left_can_be_looked_at,
        terminals.what_a_boot_left_can_be_exported,
        promises.many_start_at_once,
    )
}


async def check_driver(subject: Callable[[], Subject]) -> None:
    """Run every check, each on a fresh subject, and leave no machine behind.

    Args:
        subject: Returns a subject that holds no machines.

    Raises:
        AssertionError: a promise was broken.
    """
    for check in CHECKS.values():
        await run_check(check, subject())


async def run_check(check: Check, subject: Subject) -> None:
    """Run one check and destroy what it left.

    Raises:
        AssertionError: the promise was broken.
    """
    try:
        await check(subject)
    finally:
        async with opened(subject) as driver:
            for machine_id in await driver.machines():
                await driver.destroy(machine_id)
