"""Images that lead elsewhere, and commands that are none: all stays inside, and it is said why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ephemera.errors import BootFailed
from ephemera.platform.drivers.base import GuestMount
from tests import needs
from tests.container_machines import Machines
from tests.images import busybox, file, folder, layer, symlink
from tests.registry import Registry

pytestmark = [
    *needs.containers,
    needs.registry,
    needs.busybox,
]

_SCRIPT = b"#!/bin/sh\necho ran\n"
_ODD = layer(
    file("noexec", _SCRIPT),
    file("script", _SCRIPT, mode=0o755),
    file("orphan", b"#!/no/such\n", mode=0o755),
    file("garbage", b"\x7fELF and no more", mode=0o755),
    folder("private", mode=0o700),
    file("private/tool", _SCRIPT, mode=0o755),
    symlink("loop", "/loop"),
    folder("first"),
    file("first/tool", _SCRIPT),
    file("first/none/tool", _SCRIPT),
    folder("second"),
    file("second/tool", _SCRIPT, mode=0o755),
    symlink("link", "../../../../tmp"),
    symlink("out", "/proc/1/root/tmp"),
)


@pytest.fixture(scope="module")
def machines(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    image = registry.push("odd", busybox(_ODD))
    with Machines.opened(tmp_path_factory.mktemp("platform"), image) as opened:
        yield opened


def _tried(machines: Machines, script: str, **more: Any) -> str:
    """Return what a machine prints, or why there is none."""
    try:
        return " ".join(machines.run("sh", "-c", script, **more).lines)
    except BootFailed as error:
        return str(error)


#: Says that it has all that a machine has, and that nothing of this computer is there.
_HAS_ALL = """
    [ -c /dev/null ] && echo x > /data/new && [ -d /.fly ] && [ "$(id -u)" = 0 ] &&
    [ $(ls /proc | grep -c '^[0-9]') -lt 10 ] && ! echo 1 > /proc/sys/vm/swappiness && echo all
"""
#: What an image has in the place of something that is mounted, and how that ends: none is ever
#: mounted outside, some are inside the machine then, and others are refused.
_LEADS = {
    "proc": "mount at /proc",
    "dev": "all",
    "sys": "mount at /sys",
    "dev/shm": "all",
    "dev/null": "all",
}


class TestALinkInThePlaceOf:
    @pytest.mark.parametrize(("path", "ends"), _LEADS.items())
    def test_what_a_machine_has_leads_nowhere(
        self, machines: Machines, registry: Registry, tmp_path: Path, path: str, ends: str
    ) -> None:
        image = registry.push(f"leads-{path.replace('/', '-')}", busybox(layer(symlink(path, "/"))))
        volume = tmp_path / "volume"
        volume.mkdir()
        said = _tried(machines, _HAS_ALL, image=image, **_given(tmp_path, volume))
        assert said.endswith(ends) or ends in said

    @pytest.mark.parametrize(
        ("path", "target"),
        [
            ("dev", "/../../../..{}"),
            ("data", "../../../..{}"),
            ("data", "/proc/self/root{}"),
            (".fly", "/proc/1/cwd{}"),
        ],
    )
    def test_what_a_machine_has_leads_to_no_folder_of_this_computer(
        self, machines: Machines, registry: Registry, tmp_path: Path, path: str, target: str
    ) -> None:
        outside, volume = tmp_path / "outside", tmp_path / "volume"
        for one in (outside, volume):
            one.mkdir()
        name = f"out-{path.strip('.')}-{len(target)}"
        to = target.format(outside)
        image = registry.push(name, busybox(layer(symlink(path, to))))
        said = _tried(machines, _HAS_ALL, image=image, **_given(tmp_path, volume))
        assert f"mount at /{path}" in said
        assert list(outside.iterdir()) == []

    def test_a_volume_is_followed_inside(
        self, machines: Machines, registry: Registry, tmp_path: Path
    ) -> None:
        linked = layer(symlink("data", "../../../var/stored"), folder("var/stored"))
        image = registry.push("follows", busybox(linked))
        script = "echo x > /var/stored/new; ls /data; grep -c ' /var/stored ' /proc/mounts"
        assert _tried(machines, script, image=image, **_given(tmp_path, tmp_path)) == "api new 1"
        assert (tmp_path / "new").read_text() == "x\n"

    def test_a_volume_is_not_the_root(
        self, machines: Machines, registry: Registry, tmp_path: Path
    ) -> None:
        image = registry.push("is-root", busybox(layer(symlink("data", "../.."))))
        said = _tried(machines, "true", image=image, **_given(tmp_path, tmp_path))
        assert said == "the volume for '/data': the image has a link to its root there"


def _given(api: Path, volume: Path) -> dict[str, Any]:
    """Return what a machine has that has a volume and the socket of the API."""
    (api / "api").touch()
    api.chmod(0o755)
    mounts = [GuestMount("/data", "vol_1", str(volume))]
    return {"mounts": mounts, "api_socket": str(api / "api")}


def test_a_file_in_the_place_of_a_folder_is_a_clear_error(
    machines: Machines, registry: Registry, tmp_path: Path
) -> None:
    for path in ("proc", "data"):
        image = registry.push(f"file-{path}", busybox(layer(file(path, b"file"))))
        said = _tried(machines, "true", image=image, **_given(tmp_path, tmp_path))
        assert said.startswith(f"mount at /{path}")


_LONG = "x" * 100_000
#: Commands that are none, or are told too much, and what is said of them.
_REFUSED = {
    "a folder": (["/etc"], "'/etc' cannot be executed: Permission denied"),
    "a file that is not executable": (["/noexec"], "cannot be executed: Permission denied"),
    "a script for a program that is not there": (["/orphan"], "No such file or directory"),
    "garbage": (["/garbage"], "cannot be executed: Exec format error"),
    "a link to itself": (["/loop"], "cannot be executed: Too many levels of symbolic links"),
    "something below a file": (["/noexec/x"], "cannot be executed: Not a directory"),
    "what is not executable in PATH": (["noexec"], "'noexec' not found in PATH"),
    "its first process": (["/proc/1/exe"], "cannot be executed: Permission denied"),
    "what was open on its way": (["/proc/self/fd/4"], "'/proc/self/fd/4' does not exist"),
    "a long name": (["y" * 300], "cannot be executed: File name too long"),
    "a word too long": (["echo", _LONG * 2], "'echo' cannot be executed: Argument list too long"),
    "too many words": (["/bin/echo", *[_LONG] * 50], "cannot be executed: Argument list too long"),
}  # fmt: skip
_PATH = "/none:/noexec:/first:/second:/"
#: Too much for a program by the kernel's limit, and more than there is room for.
_MUCH = {"much": 30, "more": 50}


class TestACommand:
    @pytest.mark.parametrize(("command", "why"), _REFUSED.values(), ids=_REFUSED.keys())
    def test_that_cannot_be_executed_is_said_to_be_so(
        self, machines: Machines, command: list[str], why: str
    ) -> None:
        with pytest.raises(BootFailed) as caught:
            machines.start(*command, env={"PATH": f"/bin:{_PATH}"})
        assert why in str(caught.value)
        assert "Errno" not in str(caught.value)

    @pytest.mark.parametrize("count", _MUCH.values(), ids=_MUCH.keys())
    def test_that_has_too_large_an_environment_is_said_to(
        self, machines: Machines, count: int
    ) -> None:
        env = {f"V{number}": _LONG for number in range(count)}
        with pytest.raises(BootFailed, match="'true' cannot be executed: Argument list too long"):
            machines.start("true", env=env)

    def test_may_be_as_large_as_the_kernel_lets_it(self, machines: Machines) -> None:
        lines = machines.run("sh", "-c", "echo $# ${#1}", "sh", *[_LONG] * 20).lines
        assert lines == ["20 100000"]

    def test_of_somebody_elses_is_refused_and_not_said_to_be_missing(
        self, machines: Machines
    ) -> None:
        assert machines.run("/private/tool").lines == ["ran"]
        why = "'/private/tool' cannot be executed: Permission denied"
        with pytest.raises(BootFailed, match=why):
            machines.start("/private/tool", user="nobody")

    def test_is_looked_for_further_where_it_cannot_be_executed(self, machines: Machines) -> None:
        assert machines.run("tool", env={"PATH": _PATH}).lines == ["ran"]

    def test_is_refused_beside_another_with_the_same_words(self, machines: Machines) -> None:
        machine = machines.start("sleep", "1000")
        for command, why in _REFUSED.values():
            with pytest.raises(BootFailed) as caught:
                machines.exec(machine, *command)
            assert why in str(caught.value)
        assert machines.exec(machine, "/script").stdout == b"ran\n"
        machines.ended_by_kill(machine)

    def test_that_is_itself_finds_nothing_of_who_started_it(self, machines: Machines) -> None:
        ran = machines.run("/proc/self/exe")
        assert (ran.exit.exit_code, ran.lines) == (1, [])


class TestAWorkingFolder:
    def _in(self, machines: Machines, folder: str, user: str = "") -> str:
        return _tried(machines, "pwd; ls", user=user, env={"EPHEMERA_WORKDIR": folder})

    def test_may_be_a_link_inside(self, machines: Machines) -> None:
        assert self._in(machines, "/link") == "/tmp"

    @pytest.mark.parametrize(
        "folder", ["/out", "/proc/1/root", "/proc/self/cwd", "/script", "/loop"]
    )
    def test_is_nowhere_else(self, machines: Machines, folder: str) -> None:
        assert self._in(machines, folder).startswith(f"the working folder '{folder}'")

    def test_need_not_be_one_that_its_user_may_enter(self, machines: Machines) -> None:
        assert self._in(machines, "/private", "nobody").startswith("/private")
