from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ephemera.errors import DriverError
from ephemera.platform.drivers.container.checks import (
    Check,
    Verdict,
    checks,
    limitations,
    problems,
    require,
)
from ephemera.platform.drivers.container.host import Host

WELL = Host(
    "Linux 6.1.0",
    is_root=True,
    crun="/usr/bin/crun",
    crun_version="1.8.1",
    launches=True,
    seccomp=True,
    cgroups="v2",
    controllers=dict.fromkeys(("memory", "cpu", "pids", "freezer"), "/sys/fs/cgroup"),
    user_namespaces=True,
    namespaces=True,
    overlay=True,
    idmap=True,
    veth=True,
    bridge=True,
    nft="/usr/sbin/nft",
    disks=True,
)


def test_a_computer_that_has_everything_has_no_problems() -> None:
    assert problems(WELL) == []
    assert limitations(WELL) == []
    assert {one.verdict for one in checks(WELL)} == {Verdict.OK}
    require(WELL)


@pytest.mark.parametrize(
    ("lacking", "name", "says"),
    [
        ({"crun": "", "crun_version": "", "launches": False}, "runtime", "nothing can start"),
        ({"namespaces": False}, "namespaces", "it was not tried"),
        ({"overlay": False, "reasons": {"overlay": "Invalid argument"}}, "overlay", "Invalid"),
        ({"veth": False, "reasons": {"veth": "not supported"}}, "network", "veth: not supported"),
        ({"bridge": False, "reasons": {"bridge": "no such"}}, "network", "bridge: no such"),
        ({"nft": "", "reasons": {"nft": "nft is not installed"}}, "nft", "not installed"),
    ],
)
def test_what_the_driver_cannot_run_without_is_missing_and_refused(
    lacking: dict[str, Any], name: str, says: str
) -> None:
    host = replace(WELL, **lacking)
    (found,) = problems(host)
    assert (found.name, found.verdict) == (name, Verdict.MISSING)
    assert says in found.says
    with pytest.raises(DriverError, match=says) as refused:
        require(host)
    assert refused.value.hint == found.hint != ""


@pytest.mark.parametrize(
    ("lacking", "name", "says"),
    [
        ({"idmap": False, "reasons": {"idmap": "Invalid argument"}}, "users", "Invalid argument"),
        ({"user_namespaces": False, "idmap": False}, "users", "cannot be mapped"),
        ({"seccomp": False}, "seccomp", "cannot be filtered"),
        ({"disks": False}, "disks", "without a limit"),
        ({"cgroups": "none", "controllers": {}}, "cgroups", "memory, cpu, pids"),
        ({"controllers": {"memory": "/m", "cpu": "/c", "pids": "/p"}}, "cgroups", "suspended"),
    ],
)
def test_what_the_driver_can_run_without_limits_it(
    lacking: dict[str, Any], name: str, says: str
) -> None:
    host = replace(WELL, **lacking)
    (found,) = problems(host)
    assert (found.name, found.verdict) == (name, Verdict.LIMITED)
    assert says in found.says
    assert found.hint
    require(host)


def test_another_system_than_linux_is_told_of_that_alone() -> None:
    (found,) = problems(Host("Darwin 24.1.0", is_root=True))
    assert found.verdict == Verdict.MISSING
    assert "process driver" in found.hint


def test_what_keeps_the_driver_from_running_is_said_first() -> None:
    host = replace(WELL, crun="", launches=False, seccomp=False, disks=False)
    assert [one.name for one in problems(host)] == ["runtime", "seccomp", "disks"]


@pytest.mark.parametrize("lacking", [{"crun": "", "crun_version": ""}, {"launches": False}])
def test_one_way_to_start_programs_is_enough(lacking: dict[str, Any]) -> None:
    assert problems(replace(WELL, **lacking)) == []


def test_root_of_groups_without_a_controller_is_told_how_to_have_it() -> None:
    found = _of_groups(replace(WELL, controllers={"freezer": "/sys/fs/cgroup"}))
    assert found.says.endswith("machines are not limited in memory, cpu, pids")
    assert "cgroup_enable=memory" in found.hint
    assert "writable" in _of_groups(replace(WELL, controllers={})).hint


#: A user who can be root in a user namespace.
_USER = replace(WELL, is_root=False, idmap=False, controllers={}, disks=False, pasta=True)


def test_a_user_may_run_the_driver_and_is_told_what_it_lacks() -> None:
    require(_USER)
    found = {one.name: one.verdict for one in problems(_USER)}
    assert found == dict.fromkeys(("root", "users", "cgroups", "disks"), Verdict.LIMITED)


def test_a_user_who_cannot_be_root_of_anything_is_told_why() -> None:
    lacks = (("there is no newuidmap and newgidmap", "apt-get install uidmap"),)
    with pytest.raises(DriverError, match="not root, and there is no newuidmap") as refused:
        require(replace(_USER, user_lacks=lacks))
    assert refused.value.hint == "apt-get install uidmap"


def test_a_user_without_pasta_is_told_that_nothing_reaches_the_world() -> None:
    host = replace(_USER, pasta=False)
    require(host)
    (outside,) = [one for one in problems(host) if one.name == "outside"]
    assert "neither pulls nor machines" in outside.says
    assert "passt" in outside.hint


def test_what_only_root_has_is_not_said_to_lack_on_the_computer() -> None:
    hints = {one.name: one.hint for one in problems(_USER)}
    assert hints["root"] == "start the platform as root"
    assert {hints[name] for name in ("users", "disks")} == {"root may have it: ask again as root"}


def _of_groups(host: Host) -> Check:
    return next(one for one in checks(host) if one.name == "cgroups")


def test_a_user_who_was_given_all_controllers_lacks_none() -> None:
    assert _of_groups(replace(_USER, controllers=WELL.controllers)).verdict == Verdict.OK


def test_a_user_without_groups_is_told_why_and_what_to_do() -> None:
    lacks = ("no systemd of this user can be asked", "loginctl enable-linger eve")
    found = _of_groups(replace(_USER, group_lacks=lacks))
    assert (
        "not limited in memory, cpu, pids; machines cannot be suspended: no systemd" in found.says
    )
    assert found.hint == "loginctl enable-linger eve"


def test_a_user_who_was_not_given_all_controllers_is_told_how_to_get_them() -> None:
    given = dict.fromkeys(("memory", "pids", "freezer"), "/group")
    found = _of_groups(replace(_USER, controllers=given))
    assert found.says == "version 2: machines are not limited in cpu"
    assert "Delegate=cpu memory pids" in found.hint


def test_a_user_whose_machines_end_at_a_logout_is_told_how_they_do_not() -> None:
    found = _of_groups(replace(_USER, controllers=WELL.controllers, ends_with="eve"))
    assert found.verdict == Verdict.LIMITED
    assert "end when eve logs out" in found.says
    assert found.hint == "loginctl enable-linger eve"


def test_what_machines_lack_is_a_sentence_each_with_what_to_do() -> None:
    lacking = limitations(replace(WELL, seccomp=False, disks=False))
    assert [one.partition(":")[0] for one in lacking] == ["seccomp", "disks"]
    assert "cannot be filtered" in lacking[0]
    assert "apt-get install e2fsprogs" in lacking[1]
