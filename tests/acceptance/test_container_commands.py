"""The commands for machines, where machines are containers: real images, shells and remains."""

from __future__ import annotations

import signal
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera import Client
from ephemera.home import read_token
from ephemera.wire.ids import new_machine_name
from ephemera.wire.models import Machine
from tests import needs
from tests.acceptance.command_line import CommandLine, must_be_gone
from tests.acceptance.seat import Seat, seated
from tests.acceptance.shop import Shop
from tests.images import BUSYBOX, build, busybox, file, folder, layer
from tests.registry import Registry

pytestmark = [
    pytest.mark.root,
    pytest.mark.crun,
    needs.root,
    needs.crun,
    needs.registry,
    needs.busybox,
]

RUN = ("machine", "run")
_SOON_S = 20


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CommandLine, Client]]:
    folder = tmp_path_factory.mktemp("containers")
    ephemera = CommandLine(folder / "home")
    up = ("up", "--detach", "--driver", "container", "--listen", "127.0.0.1:0")
    with Client(ephemera(*up).stdout.strip(), read_token(ephemera.home)) as client:
        yield ephemera, client
    ephemera("down", "--timeout", "0")
    must_be_gone(folder)


@pytest.fixture
def shop(containers: tuple[CommandLine, Client]) -> Shop:
    return Shop(*containers, new_machine_name())


@pytest.fixture(scope="module")
def image(registry: Registry) -> str:
    return registry.push("commands", busybox(cmd=["/bin/sh", "-c", "echo its own"]))


def running(shop: Shop, image: str) -> Machine:
    """Return a machine that does nothing until it is told to end."""
    config = {"image": image, "init": {"exec": ["sleep", "1000"]}, "restart": {"policy": "no"}}
    machine = shop.client.machines.create(shop.app, config=config)
    shop.client.machines.wait(shop.app, machine.id, "started")
    return machine


def processes(shop: Shop, machine: str) -> list[str]:
    return [one.command for one in shop.client.machines.ps(shop.app, machine)]


class TestRun:
    def test_an_image_is_pulled_and_runs_its_own_command(
        self, shop: Shop, registry: Registry
    ) -> None:
        image = registry.push("never-seen", busybox(cmd=["/bin/echo", "its own"]))
        done = shop(*RUN, "--rm", image)
        assert done.stdout == "its own\n"
        assert f"Pulling container image {image}" in done.stderr
        assert shop.client.machines.list(shop.app) == []

    def test_it_can_be_told_what_to_run_as_whom(self, shop: Shop, image: str) -> None:
        done = shop(*RUN, "--rm", "--user", "1234", image, "/bin/sh", "-c", "id -u; exit 5", code=5)
        assert done.stdout == "1234\n"
        done = shop(*RUN, "--rm", "--entrypoint", "/bin/echo", image, "-n", "a", "b")
        assert done.stdout == "a b\n"

    def test_an_image_that_is_not_there_is_an_error(self, shop: Shop, image: str) -> None:
        missing = image.replace("commands", "missing")
        said = shop(*RUN, "--rm", missing, code=1).stderr
        assert "could not be started" in said
        assert "missing" in said
        assert shop.client.machines.list(shop.app) == []

    def test_running_out_of_memory_is_said(self, shop: Shop, image: str) -> None:
        words = ("--memory", "256", image, "/bin/sh", "-c", "tail /dev/zero")
        done = shop(*RUN, *words, code=137)
        assert "ran out of memory of 256 MB: give it more with --memory" in done.stderr
        (machine,) = shop.client.machines.list(shop.app)
        assert "ran out of memory" in shop("machine", "inspect", machine.id).stdout

    def test_a_volume_is_where_it_was_asked_for(self, shop: Shop, image: str) -> None:
        shop.client.volumes.create(shop.app, name="data", size_gb=1)
        words = ("--rm", "--volume", "data:/data", image, "/bin/sh", "-c")
        shop(*RUN, *words, "echo kept > /data/file")
        assert shop(*RUN, *words, "cat /data/file").stdout == "kept\n"


class TestShell:
    def test_a_real_shell_at_a_real_terminal(self, shop: Shop, image: str) -> None:
        machine = running(shop, image).id
        with seated(shop.ephemera, "machine", "shell", machine) as seat:
            typed(seat, "echo h''i", "hi\r\n")
            typed(seat, "tty", "/dev/pts/")
            typed(seat, "stty size", "24 80\r\n")
            seat.resize(50, 132)
            until(lambda: "50 132" in typed(seat, "stty size; echo do''ne", "done\r\n"))
            seat.type("sleep 999\r")
            until(lambda: "sleep 999" in processes(shop, machine))
            seat.type("\x03")
            typed(seat, "echo sta''tus $?", "status 130")
            seat.type("exit 3\r")
            assert seat.end() == 3
        assert processes(shop, machine) == ["sleep 1000"]

    def test_whoever_goes_away_has_hung_up(self, shop: Shop, image: str) -> None:
        machine = running(shop, image).id
        with seated(shop.ephemera, "machine", "exec", "-t", machine, "sleep", "999") as seat:
            until(lambda: "sleep 999" in processes(shop, machine))
            seat.send(signal.SIGKILL)
            seat.end()
            until(lambda: processes(shop, machine) == ["sleep 1000"])
            seat.restore()

    def test_a_megabyte_comes_out_whole(self, shop: Shop, image: str) -> None:
        machine = running(shop, image).id
        script = "head -c 1000000 /dev/zero | tr '\\0' x; echo"
        done = shop.ephemera("machine", "shell", machine, "--", "/bin/sh", "-c", script)
        assert done.stdout == "x" * 1_000_000 + "\n"

    def test_a_failed_machine_is_looked_at_in_a_copy_and_exported(
        self, shop: Shop, image: str, tmp_path: Path
    ) -> None:
        script = "echo half > /report; exit 3"
        shop(*RUN, "-e", "COLOUR=green", image, "/bin/sh", "-c", script, code=3)
        machine = shop.client.machines.list(shop.app)[0].id
        for _ in range(2):
            with seated(shop.ephemera, "machine", "shell", machine) as seat:
                seat.see("copy of its file system")
                typed(seat, "cat /report", "half\r\n")
                typed(seat, "echo lost > /report; cat /report", "lost\r\n")
                typed(seat, "echo $COLOUR", "green\r\n")
                seat.type("exit\r")
                assert seat.end() == 0
        target = tmp_path / "files.tar"
        shop("machine", "export", machine, "-o", str(target))
        with tarfile.open(target) as members:
            names = {one.name.removeprefix("./"): one for one in members}
            report = members.extractfile(names["report"])
            assert report
            assert report.read() == b"half\n"
            assert "bin/busybox" in names or "bin" in names
        with seated(shop.ephemera, "machine", "shell", machine) as seat:
            typed(seat, "cat /report", "half\r\n")
            shop("machine", "destroy", machine)
            seat.see(f"nobody saw how the command in machine {machine} ended")
            assert seat.end() == 1

    def test_an_image_without_a_shell_says_so(self, shop: Shop, registry: Registry) -> None:
        bare = build(
            layer(folder("only"), file("only/busybox", BUSYBOX.read_bytes(), mode=0o755)),
            cmd=["/only/busybox", "sleep", "1000"],
        )
        reference = registry.push("bare", bare)
        machine = shop(*RUN, "--detach", reference).stdout.strip()
        with seated(shop.ephemera, "machine", "shell", machine) as seat:
            seat.see(f"machine {machine} has no shell")
            seat.see(f"`ephemera machine shell {machine} -- PROGRAM`")
            assert seat.end() == 1
        words = ("machine", "shell", machine, "--", "/only/busybox", "echo", "hello")
        assert shop.ephemera(*words).stdout == "hello\n"


class TestConsole:
    def test_a_machine_of_any_image_is_made_for_it(self, shop: Shop, image: str) -> None:
        with seated(shop.ephemera, "console", "-a", shop.app, "--image", image) as seat:
            typed(seat, "echo h''i", "hi\r\n")
            (machine,) = shop.client.machines.list(shop.app)
            seat.type("exit 7\r")
            assert seat.end() == 7
        assert shop.client.machines.get(shop.app, machine.id).state == "destroyed"

    def test_a_run_can_have_a_terminal(self, shop: Shop, image: str) -> None:
        run = (*RUN, "-a", shop.app, "-it", "--user", "1234", image, "/bin/sh")
        with seated(shop.ephemera, *run) as seat:
            typed(seat, "id -u", "1234\r\n")
            seat.type("exit\r")
            assert seat.end() == 0
        assert shop.client.machines.list(shop.app) == []


def typed(seat: Seat, line: str, shown: str) -> str:
    """Type a line, and return what is shown up to `shown`, which the line itself does not hold.

    The shell may draw the line anew while it is typed, so it is not looked for.
    """
    seat.type(line + "\r")
    return seat.see(shown)


def until(holds: object) -> None:
    assert callable(holds)
    deadline = time.monotonic() + _SOON_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
