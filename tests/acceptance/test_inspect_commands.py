"""`ephemera machine inspect` and `export`, and the moves of a machine, of any app by its id."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ephemera import Client
from ephemera.home import read_token
from ephemera.wire.ids import new_machine_name
from tests.acceptance.command_line import CommandLine
from tests.acceptance.seat import seated
from tests.acceptance.shop import PAUSE, Shop


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """An app whose machines are played: they leave files."""
    ephemera = CommandLine(tmp_path_factory.mktemp("played") / "home")
    url = ephemera("up", "--detach", "--driver", "mock", "--listen", "127.0.0.1:0").stdout
    with Client(url.strip(), read_token(ephemera.home)) as client:
        yield Shop(ephemera, client, new_machine_name())
    ephemera("down")


class TestInspect:
    def test_a_machine_that_failed_says_why_and_what_is_left(self, played: Shop) -> None:
        config = {
            "image": "img",
            "init": {"exec": ["oom"]},
            "env": {"PASSWORD": "hunter2"},
            "restart": {"policy": "no"},
        }
        machine = played.client.machines.create(played.app, config=config).id
        played.client.machines.wait(played.app, machine, "stopped")
        done = played.ephemera("machine", "inspect", machine)
        first, *rest = done.stdout.splitlines()
        assert first == (f"machine {machine} is stopped: its program ran out of memory of 256 MB")
        shown = "\n".join(rest)
        assert "exit code 137, SIGKILL, out of memory" in shown
        assert "Process appears to have been OOM killed!" in shown
        assert "PASSWORD" in shown
        assert "hunter2" not in shown
        assert f"ephemera machine shell {machine}" in shown
        assert f"ephemera machine export {machine} -o {machine}.tar" in shown

    def test_programs_read_all_of_it(self, played: Shop) -> None:
        machine = played.run(["print", "a", "b", "c"], until="stopped").id
        words = ("machine", "inspect", machine, "--json", "--lines", "2")
        found = json.loads(played.ephemera(*words).stdout)
        assert found["summary"].endswith("its program ended with exit code 0")
        assert found["exit"]["exit_code"] == 0
        assert found["remains"]["look"] is True
        assert len(found["lines"]) == 2
        assert [one["type"] for one in found["machine"]["events"]] == ["launch", "start", "exit"]

    def test_without_a_file_system_it_says_so(self, shop: Shop) -> None:
        machine = shop.run([sys.executable, "-c", "exit(3)"], until="stopped").id
        shown = shop.ephemera("machine", "inspect", machine).stdout
        assert "no file system" in shown
        assert "export" not in shown

    def test_nothing_is_known_of_what_was_never_there(self, played: Shop) -> None:
        said = played.ephemera("machine", "inspect", "00000000000000", code=1).stderr
        assert said.startswith("error: ")


class TestExport:
    @pytest.fixture
    def machine(self, played: Shop) -> str:
        return played.run(["write", "/report", "half"], until="stopped").id

    def test_a_file_is_written_whole_and_for_its_owner(
        self, played: Shop, machine: str, tmp_path: Path
    ) -> None:
        target = tmp_path / "files.tar"
        target.write_text("what was there before")
        done = played.ephemera("machine", "export", machine, "-o", str(target))
        assert str(target) in done.stderr
        assert target.stat().st_mode & 0o777 == 0o600
        with tarfile.open(target) as members:
            assert members.getnames() == ["report"]
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize("words", [(), ("-o", "-")])
    def test_it_goes_to_a_pipe(self, played: Shop, machine: str, words: tuple[str, ...]) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "ephemera", "machine", "export", machine, *words],
            env=played.ephemera.environment,
            capture_output=True,
            check=True,
        )
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as members:
            assert members.getnames() == ["report"]

    def test_it_does_not_go_to_a_terminal(self, played: Shop, machine: str) -> None:
        with seated(played.ephemera, "machine", "export", machine) as seat:
            seat.see(f"hint: write it to a file: -o {machine}.tar")
            assert seat.end() == 1

    def test_what_cannot_be_written_or_had_leaves_what_was_there(
        self, played: Shop, machine: str, tmp_path: Path
    ) -> None:
        nowhere = tmp_path / "missing" / "files.tar"
        said = played.ephemera("machine", "export", machine, "-o", str(nowhere), code=1).stderr
        assert "cannot be written" in said
        failed = played.run(["no-such-word"], until="failed").id
        target = tmp_path / "files.tar"
        target.write_text("what was there before")
        said = played.ephemera("machine", "export", failed, "-o", str(target), code=1).stderr
        assert "nothing is left" in said
        assert target.read_text() == "what was there before"
        assert list(tmp_path.iterdir()) == [target]


def test_a_machine_of_any_app_is_found_by_its_id(shop: Shop) -> None:
    machine = shop.run(PAUSE).id
    for words in (
        ("show", machine),
        ("ps", machine),
        ("exec", machine, "--", "true"),
        ("restart", machine),
        ("stop", machine),
        ("start", machine),
        ("destroy", machine, "--force"),
    ):
        shop.ephemera("machine", *words)


def test_a_machine_is_suspended_and_goes_on(played: Shop) -> None:
    machine = played.run(["run"]).id
    assert played("machine", "suspend", machine).stdout == f"{machine} is suspended\n"
    assert played("machine", "start", machine).stdout == f"{machine} is started\n"
    awake = played.run(["stay-awake"]).id
    said = played("machine", "suspend", awake, code=1).stderr
    assert f"machine {awake} could not be suspended, and is stopped" in said


def test_processes_are_listed_for_people_and_for_programs(shop: Shop) -> None:
    machine = shop.run(PAUSE).id
    titles, row = shop("machine", "ps", machine).stdout.splitlines()
    assert titles.split() == ["PID", "CPU", "MEMORY", "RUNNING", "COMMAND"]
    assert "signal.pause()" in row
    (one,) = json.loads(shop("machine", "ps", machine, "--json").stdout)
    assert one["rss"] > 0


def test_a_signal_is_sent_by_its_name(shop: Shop) -> None:
    script = (
        "import signal, sys, time; signal.signal(signal.SIGUSR1, lambda *_: sys.exit(5));"
        "print('ready', flush=True); signal.pause()"
    )
    machine = shop.run([sys.executable, "-c", script]).id
    entries = shop.client.logs.follow(shop.app, machine=machine)
    assert any(entry.message == "ready" for entry in entries)
    assert shop("machine", "signal", machine, "usr1").stdout == f"sent SIGUSR1 to {machine}\n"
    shop.client.machines.wait(shop.app, machine, "stopped")
    ended = shop.client.machines.get(shop.app, machine).last_exit()
    assert ended
    assert ended.exit_code == 5
    assert "SIGNOT" in shop("machine", "signal", machine, "NOT", code=1).stderr
