"""`ephemera doctor` says what this computer can do, whatever that is."""

from __future__ import annotations

import json

import pytest

from tests import needs
from tests.acceptance.command_line import CommandLine

pytestmark = needs.linux


@pytest.mark.crun
@pytest.mark.root
@needs.root
@needs.crun
def test_a_computer_that_can_run_containers_is_said_to(ephemera: CommandLine) -> None:
    said = ephemera("doctor").stdout
    assert "container: runs on this computer" in said
    assert "process: runs on this computer" in said
    assert not ephemera.home.exists()


@pytest.mark.root
@needs.root
def test_without_crun_the_platform_starts_programs_itself(ephemera: CommandLine) -> None:
    ephemera.environment["PATH"] = "/nonexistent"
    said = ephemera("doctor").stdout
    (line,) = [one for one in said.splitlines() if "runtime" in one]
    assert line.split()[:2] == ["ok", "runtime"]
    assert "crun" not in line


@pytest.mark.root
@needs.root
def test_programs_can_read_it(ephemera: CommandLine) -> None:
    ephemera.environment["PATH"] = "/nonexistent"
    told = json.loads(ephemera("doctor", "--json").stdout)
    assert told["process"]["runs"] is True
    assert told["container"]["runs"] is True
    (runtime,) = [one for one in told["container"]["checks"] if one["name"] == "runtime"]
    assert runtime["verdict"] == "ok"
    assert runtime["hint"] == ""


def test_a_state_folder_that_cannot_be_written_is_a_clear_error(ephemera: CommandLine) -> None:
    ephemera.environment["EPHEMERA_HOME"] = "/proc/nowhere"
    said = ephemera("doctor", code=1).stderr
    assert "error: what this computer can do cannot be tried" in said
    assert "hint: set EPHEMERA_HOME" in said
