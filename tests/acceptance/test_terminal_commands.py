"""`ephemera machine shell`, `machine exec -t`, `console` and `machine run -it`, at a terminal."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera import Client
from ephemera.home import read_token
from ephemera.wire.ids import new_machine_name
from tests.acceptance.command_line import CommandLine
from tests.acceptance.seat import Seat, seated
from tests.acceptance.shop import PAUSE, Shop


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CommandLine, Client]]:
    """A platform whose machines are played: they have terminals, and leave files."""
    home = tmp_path_factory.mktemp("played") / "home"
    ephemera = CommandLine(home)
    url = ephemera("up", "--detach", "--driver", "mock", "--listen", "127.0.0.1:0").stdout.strip()
    with Client(url, read_token(home)) as client:
        yield ephemera, client
    ephemera("down")


@pytest.fixture
def shop(played: tuple[CommandLine, Client]) -> Shop:
    return Shop(*played, new_machine_name())


def at_prompt(seat: Seat) -> None:
    seat.see("$ ")
    assert seat.is_raw()


class TestShell:
    def test_keys_go_in_the_screen_comes_out_and_the_status_is_passed_on(self, shop: Shop) -> None:
        machine = shop.run(["run"]).id
        with seated(shop.ephemera, "machine", "shell", machine) as seat:
            at_prompt(seat)
            seat.type("echo h''i\r")
            assert seat.see("hi\r\n") == "echo h''i\r\nhi\r\n"
            seat.type("exit 3\r")
            assert seat.end() == 3
            assert not seat.is_raw()

    def test_the_size_is_that_of_the_window(self, shop: Shop) -> None:
        machine = shop.run(["run"]).id
        with seated(shop.ephemera, "machine", "shell", machine) as seat:
            at_prompt(seat)
            seat.type("stty size\r")
            seat.see("24 80\r\n")
            seat.resize(50, 132)
            # The new size and the next key go different ways, so it is asked for again.
            while "50 132" not in _size(seat):
                pass
            seat.type("exit\r")
            assert seat.end() == 0

    def test_control_c_goes_to_the_machine(self, shop: Shop) -> None:
        machine = shop.run(["run"]).id
        with seated(shop.ephemera, "machine", "exec", "-t", machine, "cat") as seat:
            seat.until_raw()
            seat.type("\x03\x1a\x1c")
            seat.see("\x03\x1a\x1c")
            seat.send(signal.SIGTERM)
            assert seat.end() == 143

    def test_a_machine_that_ends_ends_it(self, shop: Shop) -> None:
        machine = shop.run(["run"]).id
        with seated(shop.ephemera, "machine", "shell", machine) as seat:
            at_prompt(seat)
            shop.client.machines.stop(shop.app, machine)
            assert seat.end() == 137

    def test_a_machine_that_has_ended_is_looked_at_in_a_copy(self, shop: Shop) -> None:
        machine = shop.run(["write", "/report", "half"], until="stopped").id
        for _ in range(2):
            with seated(shop.ephemera, "machine", "shell", machine) as seat:
                assert "copy of its file system" in seat.see("$ ")
                seat.type("cat /report\recho lost > /report\rcat /report\rexit\r")
                seat.see("half\r\n")
                seat.see("lost\r\n")
                assert seat.end() == 0

    def test_a_command_needs_no_terminal(self, shop: Shop) -> None:
        machine = shop.run(["write", "/report", "half\nof it"], until="stopped").id
        shell = ("machine", "shell", "-a", shop.app, machine, "--")
        assert shop.ephemera(*shell, "cat", "/report").stdout == "half\nof it\n"
        assert shop.ephemera(*shell, "exit", "5", code=5).stdout == ""

    def test_a_shell_needs_one(self, shop: Shop) -> None:
        machine = shop.run(["run"]).id
        for words in (
            ("machine", "shell", machine),
            ("machine", "exec", "-t", machine, "sh"),
            ("console",),
        ):
            said = shop.ephemera(*words, code=1).stderr
            assert said.startswith("error: standard input is not a terminal\nhint: "), words

    def test_what_cannot_be_is_said_clearly(self, shop: Shop) -> None:
        failed = shop.run(["no-such-word"], until="failed").id
        said = shop("machine", "shell", failed, "--", "ls", code=1).stderr
        assert "nothing is left" in said
        assert "Traceback" not in said
        with seated(shop.ephemera, "machine", "shell", failed) as seat:
            seat.see("nothing is left")
            assert seat.end() == 1
        running = shop.run(["run"]).id
        assert (
            "no-such-word" in shop("machine", "shell", running, "--", "no-such-word", code=1).stderr
        )
        ended = shop.run(["exit", "1"], until="stopped").id
        said = shop("machine", "exec", ended, "--", "exit", code=1).stderr
        assert f"ephemera machine shell {ended}" in said

    def test_a_server_that_stops_gives_the_terminal_back(self, tmp_path: Path) -> None:
        ephemera = CommandLine(tmp_path / "home")
        url = ephemera("up", "--detach", "--driver", "mock", "--listen", "127.0.0.1:0").stdout
        with Client(url.strip(), read_token(ephemera.home)) as client:
            machine = Shop(ephemera, client, "shop").run(["run"]).id
            with seated(ephemera, "machine", "shell", machine) as seat:
                at_prompt(seat)
                ephemera("down", "--keep-machines")
                seat.see("the server is stopping")
                assert seat.end() == 1
                assert not seat.is_raw()


def _size(seat: Seat) -> str:
    seat.type("stty size\r")
    seat.see("stty size\r\n")
    return seat.see("\r\n")


class TestConsole:
    def test_it_is_in_the_newest_machine_that_runs(self, shop: Shop) -> None:
        shop.run(["run"])
        newest = shop.run(["run"]).id
        shop.run(["exit"], until="stopped")
        with seated(shop.ephemera, "console", "-a", shop.app) as seat:
            assert f"in machine {newest}" in seat.see("$ ")
            seat.type("printenv FLY_MACHINE_ID\r")
            seat.see(newest)
            seat.type("exit 4\r")
            assert seat.end() == 4
        assert len(shop.client.machines.list(shop.app)) == 3

    def test_it_can_be_told_in_which(self, shop: Shop) -> None:
        chosen = shop.run(["run"]).id
        shop.run(["run"])
        with seated(
            shop.ephemera, "console", "--machine", chosen, "printenv", "FLY_MACHINE_ID"
        ) as seat:
            seat.see(chosen)
            assert seat.end() == 0

    @pytest.mark.parametrize("app", ["of-its-own", "new"])
    def test_where_none_runs_one_is_made_and_destroyed_again(self, shop: Shop, app: str) -> None:
        if app == "of-its-own":
            app = shop.app
            shop.client.machines.create(
                app, config={"image": "img", "env": {"COLOUR": "green"}, "init": {"exec": ["exit"]}}
            )
        else:
            app = new_machine_name()
        with seated(shop.ephemera, "console", "-a", app) as seat:
            at_prompt(seat)
            (machine,) = shop.client.machines.list(app, state="started")
            assert machine.config
            assert machine.config.image == ("img" if app == shop.app else "host")
            assert machine.config.env == ({"COLOUR": "green"} if app == shop.app else None)
            seat.type("exit 6\r")
            assert seat.end() == 6
        assert shop.client.machines.get(app, machine.id).state == "destroyed"

    @pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
    def test_however_it_ends_the_machine_is_destroyed(self, shop: Shop, signum: int) -> None:
        with seated(shop.ephemera, "console", "-a", shop.app, "--image", "img") as seat:
            at_prompt(seat)
            (machine,) = shop.client.machines.list(shop.app)
            seat.send(signum)
            assert seat.end() == 128 + signum
        assert shop.client.machines.get(shop.app, machine.id).state == "destroyed"

    def test_a_run_can_have_a_terminal(self, shop: Shop) -> None:
        run = ("machine", "run", "-a", shop.app, "-it", "-e", "COLOUR=green", "img", "sh")
        with seated(shop.ephemera, *run) as seat:
            at_prompt(seat)
            seat.type("printenv COLOUR\r")
            seat.see("green\r\n")
            seat.type("exit 2\r")
            assert seat.end() == 2
        assert shop.client.machines.list(shop.app) == []


def test_a_driver_without_terminals_says_so(own_shop: Shop) -> None:
    machine = own_shop.run(PAUSE).id
    with seated(own_shop.ephemera, "machine", "shell", machine) as seat:
        seat.see("terminals with the 'process' driver")
        assert seat.end() == 1
