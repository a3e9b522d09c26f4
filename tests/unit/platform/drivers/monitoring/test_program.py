from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from ephemera.platform.drivers.monitoring import program
from ephemera.platform.drivers.monitoring.program import NotStarted
from tests import needs


def _make(path: Path, mode: int = 0o755, text: str = "#!/bin/sh\n") -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_name_is_looked_for_in_the_path_of_the_program(tmp_path: Path) -> None:
    tool = _make(tmp_path / "tool")
    assert program.find("tool", f"/nowhere:{tmp_path}", "/") == str(tool)


def test_a_relative_path_is_looked_for_in_the_working_folder(tmp_path: Path) -> None:
    _make(tmp_path / "tool")
    assert Path(program.find("./tool", "", str(tmp_path))).samefile(tmp_path / "tool")


def test_an_entry_that_cannot_be_executed_hides_no_later_one(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a/tool").mkdir()
    tool = _make(tmp_path / "b/tool")
    assert program.find("tool", f"{tmp_path}/a:{tmp_path}/b", "/") == str(tool)


@pytest.mark.parametrize(
    ("command", "why"),
    [("nosuch", "not found in PATH"), ("./nosuch", "does not exist"), ("plain", "not executable")],
)
def test_what_cannot_be_found_says_why(command: str, why: str, tmp_path: Path) -> None:
    _make(tmp_path / "plain", 0o644)
    with pytest.raises(NotStarted, match=f"command '{command}' .*{why}"):
        program.find(command, str(tmp_path), str(tmp_path))


@pytest.mark.parametrize(
    ("text", "why"),
    [("#!/no/such/interpreter\n", "interpreter"), ("\x7fELF garbage", "not a program")],
)
def test_what_cannot_be_executed_says_why(text: str, why: str, tmp_path: Path) -> None:
    _make(tmp_path / "tool", text=text)
    with pytest.raises(NotStarted, match=why):
        program.start(["./tool"], {}, str(tmp_path), (0, 1, 2))


def test_a_missing_working_folder_is_named() -> None:
    with pytest.raises(NotStarted, match="'/no/such/folder'"):
        program.start(["true"], {}, "/no/such/folder", (0, 1, 2))


@pytest.mark.parametrize("command", [[], [""], ["a\0b"]])
def test_what_is_no_command_is_refused(command: list[str]) -> None:
    with pytest.raises(NotStarted):
        program.start(command, {}, "/", (0, 1, 2))


@needs.proc
@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGUSR1])
def test_a_program_does_not_ignore_what_its_monitor_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.chdir(tmp_path)  # the program is started from where it is to be
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with (tmp_path / "out").open("w") as out:
            command = ["grep", "SigIgn", "/proc/self/status"]
            pid = program.start(command, {}, str(tmp_path), (0, out.fileno(), 2))
        assert os.waitpid(pid, 0)[1] == 0
    finally:
        signal.signal(number, before)
    ignored = int((tmp_path / "out").read_text().split()[1], 16)
    assert not ignored & 1 << number - 1
