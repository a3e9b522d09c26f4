"""What a program finds in its machine is the same, whether `crun` or the platform started it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import needs
from tests.container_machines import Machines
from tests.container_world import until

pytestmark = needs.containers

#: Prints `= name` and then what there is of it. The shell that asks is the program of the machine.
_PROBE = r"""
ask() { echo "= $1"; shift; "$@"; }
status() {
    grep -E '^(Umask|Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Sig(Blk|Ign)|Spec|CoreD|THP|Cpus|Mems)' \
        /proc/self/status
}
namespaces() { for one in /proc/$$/ns/*; do echo "${one##*/} $(readlink $one)"; done; }
devices() { find /dev | sort | while read one; do stat -c '%N %F %a %u:%g %t:%T' $one; done; }
leads() { read a b c parent group session terminal rest </proc/$$/stat
    for one in $group $session; do [ $one = $$ ] && echo leads; done; echo "child of $parent"
    [ $terminal = 0 ]; echo "no terminal: $?"; }
files() { for one in oom_score_adj loginuid timerslack_ns coredump_filter setgroups attr/current \
        attr/exec comm; do echo "$one $(cat /proc/$$/$one 2>&1)"; done; }
masked() { stat -c '%n %F %a %u' /proc/kcore /proc/keys /proc/timer_list /sys/firmware 2>&1; }
ask status status
ask namespaces namespaces
ask mounts cat /proc/self/mountinfo
ask limits cat /proc/self/limits
ask open ls -l /proc/$$/fd
ask devices devices
ask environment env
ask folder pwd
ask leads leads
ask name hostname
ask cgroup cat /proc/self/cgroup
ask files files
ask masked masked
# whose these are says whether others may look into it
ask dumpable stat -c %u /proc/$$/stat /proc/$$/environ
ask ids awk '{print $1, $3}' /proc/self/uid_map /proc/self/gid_map
ask root stat -c '%u:%g %a' / /proc /sys /dev /dev/shm /dev/pts /run
echo '= end'
"""
_DEVICES = ("null", "zero", "full", "tty", "random", "urandom")

Found = dict[str, list[str]]


class Asked(NamedTuple):
    """What one program finds, and who its machine's root is on this computer."""

    found: Found
    ids_from: int


def _read(lines: list[str]) -> Found:
    found: Found = {}
    for line in lines:
        if line.startswith("= "):
            found[line[2:]] = []
        else:
            found[list(found)[-1]].append(line)
    assert "end" in found
    return found


def _ask(machines: Machines, user: str, *, tty: bool) -> dict[str, Asked]:
    """Return what the program of a machine finds, and what another does that comes by exec."""
    script = f"{_PROBE}\nexec sleep 1000"
    env = {"EPHEMERA_WORKDIR": "/usr/share", "GIVEN": "a b"}
    machine = machines.start("sh", "-c", script, user=user, tty=tty, env=env)
    name = machine.partition("/")[0]
    machines.await_(until(lambda: "= end" in machines.world.lines(name)))
    by_exec = machines.exec(machine, "sh", "-c", _PROBE).stdout.decode()
    first = machines.world.init(name)
    ids_from = int(Path(f"/proc/{first}/uid_map").read_text().split()[1])
    main = machines.ended_by_kill(machine).lines
    return {
        "main": Asked(_read(main), ids_from),
        "exec": Asked(_read(by_exec.splitlines()), ids_from),
    }


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Machines]]:
    """A platform for each of the two ways."""
    with ExitStack() as stack:
        found = {}
        for way in ("own", "crun"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("EPHEMERA_RUNTIME", way)
                home = tmp_path_factory.mktemp(way)
                found[way] = stack.enter_context(Machines.opened(home))
        yield found


Ways = dict[str, dict[str, Asked]]


@pytest.fixture(scope="module", params=[("", False), ("nobody", True)], ids=["root", "nobody tty"])
def ways(request: pytest.FixtureRequest, opened: dict[str, Machines]) -> Ways:
    user, tty = request.param
    return {way: _ask(one, user, tty=tty) for way, one in opened.items()}


def _pairs(ways: Ways) -> Iterator[tuple[Found, Found]]:
    for how in ("main", "exec"):
        yield ways["own"][how].found, ways["crun"][how].found


def test_programs_find_the_same(ways: Ways) -> None:
    other = {"mounts", "namespaces", "open", "leads", "name"}
    for ours, theirs in _pairs(ways):
        assert set(ours) == set(theirs)
        for name in set(ours) - other:
            assert ours[name] == theirs[name], name
            assert ours[name] or name == "end", name
    main = ways["own"]["main"].found
    assert main["folder"] == ["/usr/share"]
    assert "GIVEN=a b" in main["environment"]


def test_their_namespaces_are_not_this_computers(ways: Ways) -> None:
    for ours, theirs in _pairs(ways):
        kinds = [_of_this_computer(one["namespaces"]) for one in (ours, theirs)]
        assert kinds[0] == kinds[1]
        assert kinds[0] <= {"time", "time_for_children"}
        assert len(ours["namespaces"]) == len(theirs["namespaces"])
    for way in ways.values():
        assert way["main"].found["namespaces"] == way["exec"].found["namespaces"]


def _of_this_computer(lines: list[str]) -> set[str]:
    found = dict(line.split(" ", 1) for line in lines)
    here = {one.name: os.readlink(one) for one in Path("/proc/self/ns").iterdir()}  # noqa: PTH115
    return {kind for kind, name in found.items() if here[kind] == name}


def _mounts(lines: list[str]) -> dict[str, tuple[str, frozenset[str]]]:
    """Return kinds and flags of mounts by where they are."""
    found = {}
    for line in lines:
        fields = line.split()
        kind = fields[fields.index("-") + 1]
        found[fields[4]] = (kind, frozenset(fields[5].split(",")) - {"relatime"})
    return found


def test_the_same_is_mounted_and_not_less_restricted(ways: Ways) -> None:
    """Ours keeps masks, and what is read-only in `/proc`, from having programs or devices too.

    Devices are read-only, which has nobody change whose they are, and anybody write to them.
    """
    for ours, theirs in _pairs(ways):
        own, other = _mounts(ours["mounts"]), _mounts(theirs["mounts"])
        assert set(own) == set(other)
        for target, (kind, flags) in own.items():
            assert kind == other[target][0], target
            assert flags >= other[target][1] - {"rw"}, target
            quiet = {"nosuid", "nodev", "noexec"}
            more = quiet | ({"ro"} if target.startswith("/dev/") else set())
            assert flags - other[target][1] <= more, target
        assert not [line for line in ours["mounts"] if "shared:" in line or "master:" in line]


def test_only_the_streams_are_open(ways: Ways) -> None:
    for ours, theirs in _pairs(ways):
        kinds = [
            re.findall(r"(\d+) -> ([^\[\n]+)", "\n".join(one["open"])) for one in (ours, theirs)
        ]
        assert kinds[0] == kinds[1]
        assert [number for number, _ in kinds[0]] == ["0", "1", "2"]


def test_each_leads_a_session_of_its_own(ways: Ways) -> None:
    """By `crun`, one that comes later is in a session that is not of its machine."""
    own = ways["own"]
    assert own["main"].found["leads"] == ways["crun"]["main"].found["leads"]
    for how in own.values():
        assert how.found["leads"][:3] == ["leads", "leads", "child of 0"]


def test_a_machine_has_the_name_that_it_is_given(ways: Ways) -> None:
    for way in ways.values():
        assert way["main"].found["name"] == way["exec"].found["name"]
        assert way["main"].found["name"] != [os.uname().nodename]


def test_the_devices_of_this_computer_are_not_given_to_a_machine(ways: Ways) -> None:
    for way in ways.values():
        ids = range(way["main"].ids_from, way["main"].ids_from + 65536)
        for name in _DEVICES:
            about = Path("/dev", name).stat()
            assert about.st_uid not in ids
            assert about.st_gid not in ids
