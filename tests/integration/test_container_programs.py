"""What runs in a machine, as whom and where: an image's own words, and those that override them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ephemera.errors import BootFailed
from ephemera.platform.drivers.base import GuestFile, Program
from tests import needs
from tests.container_machines import Machines
from tests.container_world import until
from tests.images import BUSYBOX, build, busybox, file, folder, layer, symlink
from tests.registry import Registry

pytestmark = [
    *needs.containers,
    needs.registry,
    needs.busybox,
]

_PASSWD = b"""root:x:0:0:root:/root:/bin/sh
app:x:1000:1001::/home/app:/bin/sh
nobody:x:65534:65534::/:/bin/false
"""
_GROUP = b"""root:x:0:
app:x:1001:
disk:x:6:app,other
audio:x:29:app
nogroup:x:65534:
"""
_USERS = layer(
    file("etc/passwd", _PASSWD),
    file("etc/group", _GROUP),
    folder("home/app", uid=1000, gid=1001),
    file("home/app/mine", b"", uid=1000, gid=1001, mode=0o600),
    file("home/app/shared", b"", uid=0, gid=6, mode=0o640),
)


@pytest.fixture(scope="module")
def machines(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    image = registry.push("programs", busybox(_USERS))
    with Machines.opened(tmp_path_factory.mktemp("platform"), image) as opened:
        yield opened


class TestTheImagesOwn:
    def _run(self, machines: Machines, registry: Registry, name: str, **config: Any) -> list[str]:
        image = registry.push(f"own-{name}", busybox(_USERS, **config))
        return machines.run(image=image).lines

    def test_command(self, machines: Machines, registry: Registry) -> None:
        assert self._run(machines, registry, "cmd", cmd=["/bin/echo", "cmd"]) == ["cmd"]

    def test_entrypoint_before_its_command(self, machines: Machines, registry: Registry) -> None:
        config = {"entrypoint": ["/bin/echo", "entry"], "cmd": ["cmd"]}
        assert self._run(machines, registry, "both", **config) == ["entry cmd"]

    def test_entrypoint_alone(self, machines: Machines, registry: Registry) -> None:
        image = registry.push("own-entry", busybox(entrypoint=["/bin/echo", "entry"], cmd=[]))
        assert machines.run(image=image).lines == ["entry"]

    def test_entrypoint_before_another_command(
        self, machines: Machines, registry: Registry
    ) -> None:
        image = registry.push("own-arg", busybox(entrypoint=["/bin/echo", "entry"], cmd=["cmd"]))
        assert machines.run("x", image=image, after_entrypoint=True).lines == ["entry x"]
        assert machines.run("/bin/echo", "y", image=image).lines == ["y"]

    def test_environment_which_the_config_overrides(
        self, machines: Machines, registry: Registry
    ) -> None:
        env = ["PATH=/bin", "KEPT=image", "CHANGED=image", "EMPTY=", "ODD"]
        image = registry.push("own-env", busybox(env=env, cmd=["/bin/env"]))
        lines = machines.run(image=image, env={"CHANGED": "config", "MORE": "a=b c"}).lines
        wanted = {"PATH=/bin", "KEPT=image", "CHANGED=config", "EMPTY=", "MORE=a=b c"}
        assert wanted <= set(lines)

    def test_nothing_of_the_servers_environment(
        self, machines: Machines, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        names = {line.partition("=")[0] for line in machines.output("env")}
        assert names <= {"PATH", "HOME", "PWD", "SHLVL", "OLDPWD"}

    @pytest.mark.parametrize(
        ("user", "ids"),
        [
            ("app", "1000 1001 1001 6 29"),
            ("1000", "1000 1001 1001 6 29"),
            ("app:audio", "1000 29 29"),
            ("app:29", "1000 29 29"),
            ("1234", "1234 0 0"),
            ("1234:4321", "1234 4321 4321"),
            ("", "0 0 0"),
            ("root", "0 0 0"),
        ],
    )
    def test_user(self, machines: Machines, registry: Registry, user: str, ids: str) -> None:
        script = ["/bin/sh", "-c", "echo $(id -u) $(id -g) $(id -G)"]
        name = user.replace(":", "-") or "none"
        said = self._run(machines, registry, f"user-{name}", User=user, cmd=script)
        assert said == [ids]
        assert machines.output(script[2], user=user or "0") == [ids]

    def test_home_of_the_user(self, machines: Machines) -> None:
        assert machines.output("echo $HOME", user="app") == ["/home/app"]
        assert machines.output("echo $HOME", user="4321") == ["/"]
        assert machines.output("echo $HOME", user="app", env={"HOME": "/x"}) == ["/x"]

    def test_working_folder_which_is_made(self, machines: Machines, registry: Registry) -> None:
        said = self._run(machines, registry, "dir", WorkingDir="/a/new/one", cmd=["/bin/pwd"])
        assert said == ["/a/new/one"]
        said = self._run(machines, registry, "dots", WorkingDir="a/../b/./c", cmd=["/bin/pwd"])
        assert said == ["/b/c"]
        env = {"EPHEMERA_WORKDIR": "/another"}
        assert machines.output("pwd; stat -c %u .", env=env) == ["/another", "0"]


class TestOwnership:
    def test_files_of_an_image_belong_to_whom_it_says(self, machines: Machines) -> None:
        script = "stat -c '%u:%g %a' /home/app /home/app/mine /home/app/shared /bin/busybox"
        assert machines.output(script) == [
            "1000:1001 755",
            "1000:1001 600",
            "0:6 640",
            "0:0 755",
        ]

    def test_users_may_what_the_files_let_them(self, machines: Machines) -> None:
        tries = "cat mine shared && echo x > mine && ! echo x > shared && ! touch /etc/x && touch n"
        assert machines.output(f"cd /home/app; {tries}; stat -c %u:%g n", user="app")[-1] == (
            "1000:1001"
        )
        others = "cd /home/app; ! cat mine && ! cat shared && ! echo x > mine"
        assert machines.run("sh", "-c", others, user="nobody").exit.exit_code == 0

    def test_root_may_all_and_can_give_files_away(self, machines: Machines) -> None:
        script = "chown 65535:65535 /home/app/mine; su app -c 'cat /home/app/mine' 2>&1 | tail -1"
        said = machines.output(f"{script}; stat -c %u:%g /home/app/mine; ls /bin | wc -l")
        assert "denied" in said[0]
        assert said[1] == "65535:65535"

    def test_written_files_are_of_root_with_their_mode(self, machines: Machines) -> None:
        files = [GuestFile("/deep/er/file", b"content", 0o4640), GuestFile("/etc/passwd", b"x")]
        script = "stat -c '%u:%g %a' /deep /deep/er /deep/er/file; cat /deep/er/file; echo"
        said = machines.output(f"{script}; cat /etc/passwd; echo", files=files)
        assert said == ["0:0 755", "0:0 755", "0:0 640", "content", "x"]


class TestSeveralPrograms:
    def test_each_has_its_user_and_environment(self, machines: Machines) -> None:
        says = ("sh", "-c", "echo $(id -u) $NAME; sleep 1000")
        beside = [Program(says, {"NAME": "b"}, "app"), Program(says, {"NAME": "c"}, "77:88")]
        machine = machines.start(*says, env={"NAME": "a"}, user="nobody", beside=beside)
        name = machine.partition("/")[0]
        machines.await_(until(lambda: len(machines.world.lines(name)) == 3))
        assert sorted(machines.world.lines(name)) == ["1000 b", "65534 a", "77 c"]
        done = machines.exec(machine, "sh", "-c", "echo $(id -u) $NAME")
        assert done.stdout == b"65534 a\n"
        assert machines.ended_by_kill(machine).exit.exit_code == 137

    def test_one_that_cannot_be_started_keeps_all_from_it(self, machines: Machines) -> None:
        beside = [Program(("/no/such",), {})]
        with pytest.raises(BootFailed, match="'/no/such' does not exist"):
            machines.start("sleep", "1000", beside=beside)
        with pytest.raises(BootFailed, match="no user 'ghost'"):
            machines.start("sleep", "1000", beside=[replace(beside[0], user="ghost")])

    def test_the_first_that_ends_is_the_end(self, machines: Machines) -> None:
        beside = [Program(("sh", "-c", "exit 9"), {})]
        assert machines.run("sleep", "1000", beside=beside).exit.exit_code == 9


def test_a_terminal_is_one(machines: Machines) -> None:
    script = "tty; test -t 0 && test -t 1 && test -t 2 && echo all; exit 3"
    ran = machines.run("sh", "-c", script, tty=True, user="app")
    assert ran.lines == ["/dev/pts/0", "all"]
    assert ran.exit.exit_code == 3


def test_a_program_beside_one_with_a_terminal_prints_to_the_log_too(machines: Machines) -> None:
    beside = [Program(("sh", "-c", "echo first && sleep 0.3 && echo second && exit 5"), {})]
    ran = machines.run("sleep", "1000", tty=True, beside=beside)
    assert (ran.exit.exit_code, ran.lines) == (5, ["first", "second"])


def test_without_a_terminal_there_is_no_input(machines: Machines) -> None:
    assert machines.output("tty; cat; echo end") == ["not a tty", "end"]


def test_what_is_printed_can_be_printed_through_dev_stdout(machines: Machines) -> None:
    script = "echo a > /dev/stdout; echo b > /dev/stderr; echo c > /proc/self/fd/1"
    assert sorted(machines.output(script, user="nobody")) == ["a", "b", "c"]


_REFUSED = {
    "a program that is not there": (["/no/such"], {}, "command '/no/such' does not exist"),
    "a name that is not there": (["nosuch"], {}, "command 'nosuch' not found in PATH"),
    "a program that is none": (["/etc/passwd"], {}, "/etc/passwd"),
    "a folder": (["/etc"], {}, "/etc"),
    "nothing": ([], {}, "there is no command to run"),
    "an empty name": ([""], {}, "there is no command to run"),
    "an unknown user": (["true"], {"user": "ghost"}, "there is no user 'ghost' in the image"),
    "an unknown group": (["true"], {"user": "app:ghost"}, "there is no group 'ghost'"),
    "a user out of range": (["true"], {"user": "70000"}, "not a number from 0 to 65535"),
    "a negative user": (["true"], {"user": "-1"}, "there is no user '-1'"),
    "a file as folder": (
        ["true"], {"env": {"EPHEMERA_WORKDIR": "/etc/passwd"}}, "working folder '/etc/passwd'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("command", "more", "why"), _REFUSED.values(), ids=_REFUSED.keys())
def test_it_is_said_why_nothing_runs(
    machines: Machines, registry: Registry, command: list[str], more: dict[str, Any], why: str
) -> None:
    image = registry.push("refused", busybox(_USERS, cmd=[]))
    with pytest.raises(BootFailed) as caught:
        machines.start(*command, image=image, **more)
    assert why in str(caught.value)
    assert machines.output("echo fine") == ["fine"]


def test_an_image_without_a_shell_runs_what_it_has(machines: Machines, registry: Registry) -> None:
    alone = build(layer(file("busybox", BUSYBOX.read_bytes(), mode=0o755)), entrypoint=["/busybox"])
    image = registry.push("alone", alone)
    assert machines.run("echo", "hi", image=image, after_entrypoint=True).lines == ["hi"]
    with pytest.raises(BootFailed, match="'sh' not found in PATH"):
        machines.start("sh", "-c", "true", image=image)


def test_an_image_of_nothing_is_a_clear_error(machines: Machines, registry: Registry) -> None:
    with pytest.raises(BootFailed, match="command '/x' does not exist"):
        machines.start("/x", image=registry.push("nothing", build(layer(folder("empty")))))


@pytest.mark.parametrize("count", [41, 120])
def test_an_image_may_have_many_layers(machines: Machines, registry: Registry, count: int) -> None:
    numbers = [str(number) for number in range(count)]
    layers = [layer(file(f"l{one}", one.encode()), file("top", one.encode())) for one in numbers]
    image = registry.push(f"layers-{count}", busybox(*layers))
    script = f"ls -d /l* | grep -c '/l[0-9]'; cat /top /l0 /l{count - 1}"
    said = machines.output(script, image=image)
    assert said == [str(count), f"{count - 1}0{count - 1}"]


def test_the_list_of_users_may_be_behind_links(machines: Machines, registry: Registry) -> None:
    moved = layer(
        folder("real"),
        file("real/list", b"me:x:5:6::/h:/bin/sh\n"),
        symlink("etc", "/../../elsewhere"),
        symlink("elsewhere/passwd", "../../../../real/list"),
        file("bin/busybox", BUSYBOX.read_bytes(), mode=0o755),
    )
    image = registry.push("moved", build(moved))
    command = ("/bin/busybox", "id", "-u")
    assert machines.run(*command, image=image, user="me").lines == ["5"]
