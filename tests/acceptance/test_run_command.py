"""`ephemera machine run`, with programs that really run."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from ephemera.wire.ids import new_machine_name
from tests.acceptance.inside import Inside
from tests.acceptance.seat import seated
from tests.acceptance.shop import PAUSE, Shop

RUN = ("machine", "run")
#: Prints, and goes on whatever it is told, but SIGKILL.
STUBBORN = (
    sys.executable,
    "-uc",
    "import signal as s; s.signal(s.SIGINT, s.SIG_IGN); print('ready')\nwhile True: s.pause()",
)
READY = (sys.executable, "-uc", "import signal; print('ready'); signal.pause()")


def shell(script: str) -> tuple[str, ...]:
    return ("host", "sh", "-c", script)


def test_what_it_prints_and_how_it_ends_are_passed_on(shop: Shop) -> None:
    done = shop(*RUN, *shell("echo one; echo two >&2; echo -a; exit 3"), code=3)
    assert sorted(done.stdout.splitlines()) == ["-a", "one", "two"]
    assert "Machine started in" in done.stderr
    assert "machine exited with exit code 3, not restarting" in done.stderr
    (machine,) = shop.client.machines.list(shop.app)
    assert machine.state == "stopped"
    assert f"ephemera machine inspect {machine.id}" in done.stderr
    assert shop(*RUN, *shell("kill -9 $$"), code=137).stdout == ""


def test_a_lot_of_output_is_all_there(shop: Shop) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"
    done = shop(*RUN, "--rm", *shell(script))
    assert done.stdout.splitlines() == [f"line {number}" for number in range(20_000)]


def test_with_rm_nothing_is_left(shop: Shop) -> None:
    for script, code in (("exit 0", 0), ("exit 3", 3)):
        done = shop(*RUN, "--rm", *shell(script), code=code)
        assert "inspect" not in done.stderr
    shop(*RUN, "--rm", "host", "/no/such/program", code=1)
    assert shop.client.machines.list(shop.app) == []


def test_what_cannot_be_started_says_why(shop: Shop) -> None:
    said = shop(*RUN, "host", "/no/such/program", code=1).stderr
    assert "could not be started" in said
    assert "/no/such/program" in said
    assert "hint: `ephemera machine inspect" in said
    assert shop.client.machines.list(shop.app, state="failed")


def test_an_app_is_made_where_it_is_missing(shop: Shop) -> None:
    app = new_machine_name()
    done = shop.ephemera(*RUN, "-a", app, "--rm", *shell("echo hello"))
    assert done.stdout == "hello\n"
    assert f"created app {app}" in done.stderr


def test_variables_come_from_words_from_here_and_from_a_file(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# colours\nA=file\n\nB=of the = file\n")
    shop.ephemera.environment["FROM_HERE"] = "ours"
    try:
        words = ("--env-file", str(file), "-e", "A=word", "-e", "FROM_HERE")
        done = shop(*RUN, "--rm", *words, *shell('echo "$A,$B,$FROM_HERE"'))
    finally:
        del shop.ephemera.environment["FROM_HERE"]
    assert done.stdout == "word,of the = file,ours\n"
    assert "NOT_SET" in shop(*RUN, "-e", "NOT_SET", *shell("exit"), code=1).stderr
    file.write_text("secret-that-is-not-shown")
    said = shop(*RUN, "--env-file", str(file), *shell("exit"), code=1).stderr
    assert "line 1" in said
    assert "not-shown" not in said


def test_a_volume_is_named_or_numbered(shop: Shop) -> None:
    volume = shop.client.volumes.create(shop.app, name="data", size_gb=1)
    write = ("host", "sh", "-c", 'echo kept > "$0/file"', "/data")
    read = ("host", "sh", "-c", 'cat "$0/file"', "/data")
    shop(*RUN, "--rm", "--volume", "data:/data", *write)
    assert shop(*RUN, "--rm", "--volume", f"{volume.id}:/data", *read).stdout == "kept\n"
    assert "'other'" in shop(*RUN, "--volume", "other:/data", *read, code=1).stderr
    assert "VOLUME:/path" in shop(*RUN, "--volume", "data", *read, code=1).stderr
    holder = shop(*RUN, "-d", "--volume", "data:/data", "host", *PAUSE).stdout.strip()
    assert holder in shop(*RUN, "--volume", "data:/data", *read, code=1).stderr


def test_detached_it_prints_the_id_of_a_machine_that_is_started(shop: Shop) -> None:
    machine = shop(*RUN, "--detach", "--name", "clerk", "host", *PAUSE).stdout.strip()
    found = shop.client.machines.get(shop.app, machine)
    assert (found.state, found.name) == ("started", "clerk")
    assert "could not be started" in shop(*RUN, "-d", "host", "/no/such", code=1).stderr
    shown = json.loads(shop(*RUN, "-d", "--json", "host", *PAUSE).stdout)
    assert shown["state"] == "started"


def test_programs_read_how_it_ended(shop: Shop) -> None:
    done = shop(*RUN, "--rm", "--json", *shell("echo aside; exit 7"), code=7)
    shown = json.loads(done.stdout)
    assert (shown["status"], shown["exit_code"], shown["state"]) == (7, 7, "destroyed")
    assert "aside" in done.stderr


def test_what_takes_too_long_is_stopped(shop: Shop) -> None:
    said = shop(*RUN, "--rm", "--timeout", "0.5", "host", *PAUSE, code=124).stderr
    assert "it took too long" in said
    assert shop.client.machines.list(shop.app) == []


def test_a_machine_that_is_started_again_is_followed_until_it_is_not(
    shop: Shop, tmp_path: Path
) -> None:
    script = 'echo run; [ -e "$0" ] && exit 0; touch "$0"; exit 1'
    words = ("--rm", "--restart", "on-failure", "host", "sh", "-c", script, str(tmp_path / "once"))
    assert shop(*RUN, *words).stdout == "run\nrun\n"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_machine(shop: Shop, signum: int) -> None:
    words = (*RUN, "-a", shop.app, "--rm", "host", *READY)
    with shop.ephemera.running(*words) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signum)
        _, said = process.communicate()
        assert process.returncode == 128 + signal.SIGINT, said
    assert "stopping machine" in said
    assert shop.client.machines.list(shop.app) == []


def test_a_second_control_c_kills_it(shop: Shop) -> None:
    with seated(shop.ephemera, *RUN, "-a", shop.app, "--rm", "host", *STUBBORN) as seat:
        seat.see("ready")
        seat.send(signal.SIGINT)
        seat.see("Ctrl-C again kills it")
        seat.send(signal.SIGINT)
        seat.see("killing machine")
        assert seat.end() == 137
    assert shop.client.machines.list(shop.app) == []


def test_a_kill_of_the_command_leaves_a_machine_that_goes_by_itself(shop: Shop) -> None:
    with shop.ephemera.running(*RUN, "-a", shop.app, "--rm", "host", *READY) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.kill()
    (machine,) = shop.client.machines.list(shop.app)
    shop.client.machines.stop(shop.app, machine.id)
    shop.client.machines.wait(shop.app, machine.id, "destroyed")


def test_a_server_that_is_started_anew_is_no_matter(own_shop: Shop, tmp_path: Path) -> None:
    ephemera = own_shop.ephemera
    inside = Inside(ephemera, tmp_path)  # quicker: it is waited for ten seconds, and not longer
    with ephemera.running(*RUN, "-a", own_shop.app, "host", *READY) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        inside("down", "--keep-machines")
        inside("up", "--detach", "--listen", "127.0.0.1:0")
        (machine,) = json.loads(ephemera("machine", "list", "-a", own_shop.app, "--json").stdout)
        ephemera("machine", "stop", machine["id"])
        _, said = process.communicate()
        assert process.returncode == 130, said


def test_a_platform_that_is_not_there_is_an_error(shop: Shop) -> None:
    shop.ephemera.environment["EPHEMERA_URL"] = "http://127.0.0.1:1"
    try:
        said = shop(*RUN, "host", "true", code=1).stderr
    finally:
        del shop.ephemera.environment["EPHEMERA_URL"]
    assert said.startswith("error: ")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-i", "host", "x"), "-it"),
        (("--tty", "-d", "host", "x"), "--detach"),
        (("--restart", "sometimes", "host", "x"), "sometimes"),
        ((), "IMAGE"),
    ],
)
def test_what_does_not_go_together_is_refused(shop: Shop, words: tuple[str, ...], why: str) -> None:
    assert why in shop(*RUN, *words, code=2).stderr
