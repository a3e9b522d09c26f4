"""What a machine may use of this computer, tried by machines that want more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGTERM
from textwrap import dedent

import pytest

from ephemera.platform.drivers.base import Program
from ephemera.platform.drivers.container import bundle, cgroups, driver
from tests import needs
from tests.container_machines import Machines
from tests.container_world import until
from tests.images import busybox
from tests.registry import Registry

pytestmark = [
    *needs.containers,
    needs.registry,
    needs.busybox,
]

#: Has more memory than there is.
_HUNGRY = "tail -c 900000000 /dev/zero > /dev/null"


@pytest.fixture(scope="module")
def machines(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    image = registry.push("limited", busybox())
    with Machines.opened(tmp_path_factory.mktemp("platform"), image) as opened:
        yield opened


def test_a_program_that_has_no_memory_left_is_killed_and_that_is_said(machines: Machines) -> None:
    found = machines.run("sh", "-c", f"exec {_HUNGRY}", memory_mb=64).exit
    assert (found.exit_code, found.signal, found.oom_killed) == (137, 9, True)


def test_memory_that_is_not_too_much_is_had(machines: Machines) -> None:
    had = "head -c 40000000 /dev/zero | tail -c 40000000 > /dev/null"
    found = machines.run("sh", "-c", had, memory_mb=256).exit
    assert (found.exit_code, found.oom_killed) == (0, False)


def test_a_child_without_memory_is_killed_and_its_parent_goes_on(machines: Machines) -> None:
    ran = machines.run("sh", "-c", f"{_HUNGRY}; echo $?; exit 0", memory_mb=64)
    assert ran.lines[-1] == "137"
    assert (ran.exit.exit_code, ran.exit.oom_killed) == (0, False)


def test_a_failure_after_a_child_had_no_memory_is_told_with_its_cause(machines: Machines) -> None:
    found = machines.run("sh", "-c", f"{_HUNGRY}; exit 5", memory_mb=64).exit
    assert (found.exit_code, found.oom_killed) == (5, True)


def test_a_machine_killed_otherwise_did_not_lack_memory(machines: Machines) -> None:
    found = machines.run("sh", "-c", "kill -9 $$", memory_mb=64).exit
    assert (found.exit_code, found.oom_killed) == (137, False)


def test_a_command_counts_as_the_machines_memory(machines: Machines) -> None:
    machine = machines.start("sleep", "1000", memory_mb=64)
    assert machines.exec(machine, "sh", "-c", f"exec {_HUNGRY}").exit_code == 137
    assert machines.exec(machine, "true").exit_code == 0


def test_shared_memory_is_bounded_and_counts(machines: Machines) -> None:
    fill = "dd if=/dev/zero of=/dev/shm/file bs=1M count=200 2>&1 | tail -1; du -m /dev/shm/file"
    said = machines.output(f"{fill}; df -m /dev/shm | tail -1", memory_mb=512)
    assert any(line.split()[0] == "64" for line in said)
    found = machines.run("sh", "-c", f"{fill}; echo whole", memory_mb=32)
    assert "whole" not in found.lines or found.exit.oom_killed or _is_short(found.lines)


def _is_short(lines: list[str]) -> bool:
    """Whether less than 32 MB are said to be in the file."""
    return int(lines[-2].split()[0]) < 32


def test_memory_files_that_were_read_do_not_end_a_machine(machines: Machines) -> None:
    script = "dd if=/dev/zero of=/file bs=1M count=200 2>/dev/null; cat /file > /dev/null; rm /file"
    assert machines.run("sh", "-c", script, memory_mb=64).exit.exit_code == 0


def test_one_cpu_is_no_more_than_one(machines: Machines) -> None:
    busy = "for n in 1 2 3 4; do sh -c 'while :; do :; done' & done; sleep 1000; :"
    machine = machines.start("sh", "-c", busy, cpus=1)
    machines.await_(until(lambda: len(_file(machines, machine, "cpu", "cgroup.procs")) == 6))
    began = time.monotonic()
    before = _used_s(machines, machine)
    time.sleep(1.0)  # processor time is what is measured
    used = _used_s(machines, machine) - before
    assert used / (time.monotonic() - began) < 1.2
    machines.await_(machines.driver.destroy(machine.partition("/")[0]))


def _used_s(machines: Machines, machine: str) -> float:
    pids = _file(machines, machine, "cpu", "cgroup.procs")
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(one[11]) + int(one[12]) for one in fields) / 100


def _file(machines: Machines, machine: str, controller: str, name: str) -> list[str]:
    """Return the lines of a file of a machine's cgroup."""
    return (_cgroup(machines, machine, controller) / name).read_text().splitlines()


def _cgroup(machines: Machines, machine: str, controller: str) -> Path:
    """Return the folder of a machine's cgroup, be it of one controller or of all."""
    first = machines.world.init(machine.partition("/")[0])
    here = [one for one in machines.world.traces.cgroups() if f"/{first}-" in one]
    return Path(next(one for one in here if len(here) == 1 or f"/{controller}/" in one))


_BOMB = "bomb() { bomb | bomb & }; bomb; sleep 1; while :; do bomb; done"


def test_a_fork_bomb_hurts_only_its_own_machine(machines: Machines) -> None:
    machine = machines.start("sh", "-c", _BOMB, memory_mb=256)
    other = machines.start("sleep", "1000")
    assert machines.exec(other, "echo", "fine").stdout == b"fine\n"
    limit = int(_file(machines, machine, "pids", "pids.max")[0])
    assert int(_file(machines, machine, "pids", "pids.current")[0]) <= limit == cgroups.PIDS_MAX
    machines.await_(machines.driver.signal(machine, SIGKILL, everyone=True))
    assert machines.ended(machine).exit.exit_code != 0
    assert machines.exec(other, "echo", "fine").stdout == b"fine\n"


def test_there_is_an_end_to_processes(machines: Machines) -> None:
    machine = machines.start("sleep", "1000")
    # a few thousand of them would take their time
    (_cgroup(machines, machine, "pids") / "pids.max").write_text("30")
    script = "n=0; while [ $n -lt 50 ]; do sleep 100 & n=$((n+1)); done; echo all"
    done = machines.exec(machine, "sh", "-c", script)
    assert b"all" not in done.stdout
    assert b"fork" in done.stderr
    assert machines.ended_by_kill(machine).exit.exit_code == 137


def test_open_files_of_a_process_are_bounded(machines: Machines) -> None:
    assert int(machines.output("ulimit -n")[0]) <= 65536
    assert machines.output("ulimit -Hn")[0] == machines.output("ulimit -n")[0]


def test_terminals_are_bounded(machines: Machines) -> None:
    program = """
        import os
        try:
            while True:
                os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
        except OSError:
            print(len(os.listdir("/dev/pts")) - 1)
    """
    assert machines.python(dedent(program)) == [str(bundle.TERMINALS_MAX)]


_STUBBORN = {
    "ignores signals": "trap '' TERM INT HUP; echo ready; while :; do sleep 100; done",
    "leaves its session": "(setsid sleep 99 &); setsid setsid sleep 99 & echo ready; sleep 99",
    "stops itself": "trap '' TERM; sh -c 'kill -STOP $$' & echo ready; while :; do sleep 9; done",
}


@pytest.mark.parametrize("script", _STUBBORN.values(), ids=_STUBBORN.keys())
def test_whatever_a_program_does_it_can_be_killed_with_all_it_started(
    machines: Machines, script: str
) -> None:
    machine = machines.start("sh", "-c", script)
    name = machine.partition("/")[0]
    machines.await_(until(lambda: machines.world.lines(name) == ["ready"]))
    machines.await_(machines.driver.signal(machine, SIGKILL, everyone=True))
    assert machines.ended(machine).exit.exit_code == 137


def test_a_program_that_ignores_a_signal_goes_on(machines: Machines) -> None:
    machine = machines.start("sh", "-c", _STUBBORN["ignores signals"])
    name = machine.partition("/")[0]
    machines.await_(until(lambda: machines.world.lines(name) == ["ready"]))
    machines.await_(machines.driver.signal(machine, SIGTERM))
    assert machines.exec(machine, "true").exit_code == 0
    assert machines.ended_by_kill(machine).exit.exit_code == 137


def test_what_a_program_left_behind_is_dead_when_it_has_ended(machines: Machines) -> None:
    left = "setsid sh -c 'trap \"\" TERM HUP; echo ready; while :; do sleep 4321; done' &"
    machine = machines.start("sh", "-c", f"{left} while sleep 0.01; do [ -e /end ] && exit 4; done")
    name = machine.partition("/")[0]
    machines.await_(until(lambda: machines.world.lines(name) == ["ready"]))
    machines.await_(until(lambda: bool(_commands_of_machines(machines, "sleep 4321"))))
    machines.exec(machine, "touch", "/end")
    assert machines.await_(machines.driver.wait(machine)).exit_code == 4
    assert not _commands_of_machines(machines, "sleep 4321")


def _commands_of_machines(machines: Machines, command: str) -> list[int]:
    wanted = command.replace(" ", "\0")
    found = []
    for pid in machines.world.traces.processes():
        try:
            if wanted in Path(f"/proc/{pid}/cmdline").read_text(errors="replace"):
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_suspended_machine_uses_nothing_and_goes_on_where_it_was(machines: Machines) -> None:
    machine = machines.start("sh", "-c", "n=0; while :; do n=$((n+1)); done")
    machines.await_(machines.driver.suspend(machine))
    before = _used_s(machines, machine)
    time.sleep(0.2)  # processor time is what is measured
    assert _used_s(machines, machine) == before
    machines.await_(machines.driver.resume(machine))
    machines.await_(until(lambda: _used_s(machines, machine) > before))
    machines.await_(machines.driver.suspend(machine))
    assert machines.ended_by_kill(machine).exit.exit_code == 137


def test_programs_beside_each_other_share_one_limit_and_end_together(machines: Machines) -> None:
    beside = Program(("sh", "-c", f"{_HUNGRY}; exit 3"), {}, "nobody")
    ran = machines.run("sleep", "1000", memory_mb=64, beside=[beside])
    assert (ran.exit.exit_code, ran.exit.oom_killed) == (3, True)


def test_what_is_written_to_files_without_names_is_counted_once_and_memory_is_not(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_UNNAMED_S", 30.0)
    script = """
        exec 3>/fill 4>/dev/shm/fill
        rm /fill /dev/shm/fill
        head -c 5000000 /dev/zero >&3
        head -c 9000000 /dev/zero >&4
        head -c 1000000 /dev/zero >/named
        echo written
        exec sleep 10000
    """
    for image in (machines.image, "host"):
        handle = machines.start("sh", "-c", script, image=image)
        machine_id = handle.partition("/")[0]
        machines.await_(until(partial(_has_printed, machines, machine_id)))
        found = machines.await_(machines.driver.written([machine_id, "unknown"]))
        assert [*found] == [machine_id]
        assert 6_000_000 <= found[machine_id] < 7_000_000
        machines.ended_by_kill(handle)


def _has_printed(machines: Machines, machine_id: str) -> bool:
    return bool(machines.world.lines(machine_id))
