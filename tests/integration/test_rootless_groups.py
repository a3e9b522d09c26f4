"""Machines of a user who is not root, where systemd gives that user control groups."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.home import read_endpoint
from ephemera.platform.drivers.monitoring.folder import BootFolder
from tests import needs
from tests.rootless_world import User, a_lingering_user, until

# Not marked `root`: no computer need have a systemd.
pytestmark = [
    needs.root,
    needs.crun,
    needs.nft,
    needs.uidmap,
    needs.pasta,
    needs.tun,
    needs.user_namespaces,
    needs.user_systemd,
    pytest.mark.timeout(300),
]
_UP = ("-m", "ephemera", "up", "--driver", "container", "--listen", "127.0.0.1:0")
_MB = 1 << 20
#: Wants more memory than any machine here has.
_HUNGRY = "b'x' * (400 << 20)"
_OF_GROUPS = (
    "a_suspended_machine_can_be_killed",
    "a_suspended_machine_goes_on_when_it_is_resumed",
    "memory_is_limited_and_taken_back",
)


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with a_lingering_user() as user:
        yield user


class Platform:
    """The platform of a user, which tests kill and start again."""

    def __init__(self, user: User) -> None:
        self.user = user
        self._server: subprocess.Popen[str] | None = None

    def up(self) -> None:
        """Start it, and return when it serves."""
        self._server = server = self.user.popen(*_UP)
        until(lambda: self._pid() == server.pid, self.user.processes)

    def kill(self, *others: int) -> None:
        """Kill the server, and some others at once."""
        assert self._server
        for pid in (self._server.pid, *others):
            os.kill(pid, signal.SIGKILL)
        self._server.communicate()

    def down(self) -> None:
        """Stop the machines, and the server where one runs."""
        self.user.ephemera("down")
        if self._server:
            self._server.communicate()

    def _pid(self) -> int:
        endpoint = read_endpoint(self.user.home / "state")
        return endpoint.pid if endpoint else 0


@pytest.fixture(scope="module")
def platform(user: User) -> Iterator[Platform]:
    """A user whose platform runs."""
    platform = Platform(user)
    platform.up()
    yield platform
    platform.down()


def _started(platform: Platform, *command: str) -> str:
    run = ("machine", "run", "--detach", "--memory", "256", "host", *command)
    return platform.user.output(*run)


def _shown(platform: Platform, machine: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(platform.user.output("machine", "show", "--json", machine))
    return shown


def _exit_of(platform: Platform, machine: str) -> dict[str, Any]:
    """Return the exit of a machine, once it has ended."""
    until(
        lambda: _shown(platform, machine)["state"] == "stopped",
        lambda: _shown(platform, machine),
    )
    events = _shown(platform, machine)["events"]
    exits = [one["request"]["exit_event"] for one in events if one["type"] == "exit"]
    found: dict[str, Any] = exits[0]
    return found


def _scopes(user: User) -> list[str]:
    """Return the folders of our scopes that the user has."""
    uid = pwd.getpwnam(user.name).pw_uid
    of_user = Path(f"/sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service")
    return sorted(str(one) for one in of_user.rglob("ephemera-*.scope"))


def test_limits_are_those_of_the_guest_and_a_machine_sees_them(platform: Platform) -> None:
    files = "memory.max cpu.max pids.max cgroup.controllers"
    script = f"cd /sys/fs/cgroup && cat {files}"
    said = platform.user.output(
        "machine", "run", "--rm", "--memory", "256", "host", "sh", "-c", script
    )
    memory, cpu, pids, controllers = said.splitlines()
    assert (memory, pids) == (str(256 * _MB), "4096")
    if "cpu" in controllers.split():  # systemd before version 252 does not give it to users
        assert cpu == "100000 100000"


def test_a_machine_without_memory_is_killed_and_that_is_said(platform: Platform) -> None:
    machine = _started(platform, platform.user.python, "-c", _HUNGRY)
    found = _exit_of(platform, machine)
    assert (found["exit_code"], found["oom_killed"]) == (137, True)
    platform.user.output("machine", "destroy", machine)


def test_a_suspended_machine_goes_on_under_another_server(platform: Platform) -> None:
    machine = _started(platform, "sleep", "1000")
    platform.user.output("machine", "suspend", machine)
    before = _scopes(platform.user)
    platform.kill()
    platform.up()
    assert _scopes(platform.user) == before, "it is where the machine is"
    assert _shown(platform, machine)["state"] == "suspended"
    platform.user.output("machine", "start", machine)
    assert platform.user.output("machine", "exec", machine, "--", "echo", "lives") == "lives"
    platform.user.output("machine", "destroy", "--force", machine)


def test_nothing_is_left_of_a_machine_whose_server_and_monitor_were_killed(
    platform: Platform,
) -> None:
    machine = _started(platform, "sleep", "1000")
    platform.user.output("machine", "suspend", machine)
    (scope,) = _scopes(platform.user)
    record = BootFolder(str(platform.user.home / "state/machines" / machine), 1).read_record()
    assert record
    first = record["pid"]
    (group,) = Path(scope).rglob(f"{first}-*")
    monitor = Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1]
    platform.kill(int(monitor))
    platform.up()
    assert _shown(platform, machine)["state"] == "stopped"
    until(lambda: not group.exists(), lambda: list(group.iterdir()))
    platform.user.output("machine", "destroy", machine)


def test_a_scope_goes_with_the_platform(platform: Platform) -> None:
    assert len(_scopes(platform.user)) == 1
    platform.down()
    until(lambda: not _scopes(platform.user), lambda: _scopes(platform.user))


def test_the_doctor_says_that_all_is_there_and_leaves_no_scope(user: User) -> None:
    before = _scopes(user)
    done = user.ephemera("doctor", "--json")
    found = json.loads(done.stdout)["container"]["checks"]
    (groups,) = [one for one in found if one["name"] == "cgroups"]
    assert "machines cannot be suspended" not in groups["says"], groups
    assert "memory" not in groups["says"].partition("not limited in")[2], groups
    until(lambda: _scopes(user) == before, lambda: _scopes(user))


def test_what_drivers_promise_of_groups_is_kept(user: User) -> None:
    words = ("-m", "tests.rootless_checks", str(user.home / "contract"), "host", *_OF_GROUPS)
    done = user.run(*words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == dict.fromkeys(_OF_GROUPS, "")
