"""The programs of a page, executed. Those of another architecture can only be made."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera.platform.drivers.container import programs, syscalls
from ephemera.platform.drivers.container.assembly import ARM, X86, Code
from ephemera.platform.drivers.monitoring import kernel
from tests import needs

pytestmark = [
    needs.linux,
    pytest.mark.skipif(programs.here() is None, reason="no programs for this architecture"),
]


def _here() -> Code:
    code = programs.here()
    assert code is not None
    return code


def _written(place: Path, program: bytes) -> str:
    place.write_bytes(program)
    place.chmod(0o755)
    return str(place)


@pytest.fixture
def enter(tmp_path: Path) -> str:
    return _written(tmp_path / "enter", programs.enter(_here()))


def test_a_command_is_executed_once_all_files_are_written_to(tmp_path: Path, enter: str) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    for file in files:
        file.touch()
    command = ["/bin/sh", "-c", 'echo "$0 $WORD"', "said"]
    done = subprocess.run(
        [enter, *map(str, files), "", *command],
        env={"WORD": "kept"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "said kept\n"
    assert [file.read_text() for file in files] == ["0", "0"]


def test_nothing_is_executed_where_a_file_is_missing(tmp_path: Path, enter: str) -> None:
    done = subprocess.run(
        [enter, str(tmp_path / "none"), "", "/bin/echo", "never"], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, b"")


def test_a_command_that_cannot_be_executed_is_a_failure(enter: str) -> None:
    assert subprocess.run([enter, "", "/none"], check=False).returncode == 1


class First:
    """A first process that waits to be told to begin, and whoever is its monitor."""

    def __init__(self, folder: Path, namespaces: int) -> None:
        folder.chmod(0o755)  # for whoever it becomes
        program = _written(folder / "first", programs.first(_here(), namespaces))
        wait, self.hold = os.pipe()
        told, tell = os.pipe()
        streams = [(os.POSIX_SPAWN_DUP2, wait, 0), (os.POSIX_SPAWN_DUP2, tell, 1)]
        usual = Path.cwd()
        os.chdir(folder)
        maker = os.posix_spawn(program, ["init"], {}, file_actions=streams)
        os.chdir(usual)
        os.close(wait)
        os.close(tell)
        self.pid = int.from_bytes(os.read(told, 4), "little", signed=True)
        os.close(told)
        assert os.waitpid(maker, 0)[1] == 0

    def begin(self) -> None:
        for kind in ("uid_map", "gid_map"):
            Path(f"/proc/{self.pid}/{kind}").write_text("0 1879048192 65536")
        os.write(self.hold, b"g")
        while Path(f"/proc/{self.pid}/root").readlink() == Path("/"):
            os.sched_yield()

    def said(self, file: str) -> str:
        return Path(f"/proc/{self.pid}/{file}").read_text()


@pytest.fixture
def first(tmp_path: Path) -> Iterator[First]:
    one = First(tmp_path, syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWPID)
    yield one
    os.close(one.hold)
    if kernel.process(one.pid):
        os.kill(one.pid, 9)
        os.waitpid(one.pid, 0)


@pytest.mark.root
@needs.root
def test_the_first_process_is_a_child_of_its_monitor_and_sees_a_folder(
    tmp_path: Path, first: First
) -> None:
    first.begin()
    found = kernel.process(first.pid)
    assert found is not None
    assert found.parent == os.getpid()
    assert kernel.inner_pid(first.pid) == 1
    assert Path(f"/proc/{first.pid}/root").readlink() == tmp_path
    assert first.said("cmdline") == "init\0"
    assert "\nUid:\t1879048192\t" in first.said("status")


@pytest.mark.root
@needs.root
def test_the_first_process_ends_where_it_is_never_told_to_begin(first: First) -> None:
    os.close(first.hold)
    assert os.waitpid(first.pid, 0)[1] >> 8 == 1
    first.hold = os.open(os.devnull, os.O_RDONLY)


def test_what_the_kernel_refuses_is_told_as_its_error(tmp_path: Path) -> None:
    # a thread without shared memory, which no kernel makes
    one = First(tmp_path, 0x10000)
    os.close(one.hold)
    assert one.pid == -22


@pytest.mark.parametrize("code", [X86, ARM])
def test_every_architecture_has_programs_of_whole_instructions(code: Code) -> None:
    for program in (programs.first(code, syscalls.CLONE_NEWPID), programs.enter(code)):
        assert program[18] == code.machine & 0xFF
        assert len(program) % (4 if code is ARM else 1) == 0
