"""`ephemera logs`: what machines print and what is done to them, in flyctl's two forms."""

from __future__ import annotations

import json
import re
import signal
import sys

from tests.acceptance.command_line import CommandLine
from tests.acceptance.shop import HELLO, Shop

#: `2022-09-20T04:08:07Z runner[5683009c17548e] iad [info]machine exited with exit code 0`
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (app|runner)\[([0-9a-f]{14})\] local \[info\](.*)"
)


def test_lines_have_the_form_of_flyctl(shop: Shop) -> None:
    machine = shop.run(HELLO, until="stopped")
    lines = shop("logs", "--no-tail").stdout.splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    said = [match.groups() for match in found if match]
    assert ("app", machine.id, "hello") in said
    assert ("runner", machine.id, "machine exited with exit code 0, not restarting") in said


def test_json_lines_have_the_keys_of_flyctl(shop: Shop) -> None:
    machine = shop.run(HELLO, until="stopped")
    text = shop("logs", "-n", "--json").stdout
    entries, rest = list[dict[str, object]](), text
    while rest:
        entry, end = json.JSONDecoder().raw_decode(rest)
        entries.append(entry)
        rest = rest[end:].lstrip()
    hello = next(entry for entry in entries if entry["message"] == "hello")
    assert list(hello) == ["level", "instance", "message", "region", "timestamp", "meta"]
    meta = hello["meta"]
    assert isinstance(meta, dict)
    assert meta["event"] == {"provider": "app"}
    assert (hello["instance"], meta["instance"]) == (machine.id, machine.id)


def test_lines_of_one_machine_only(shop: Shop) -> None:
    one, other = (shop.run(HELLO, until="stopped") for _ in range(2))
    said = shop("logs", "-m", one.id, "-n").stdout
    assert one.id in said
    assert other.id not in said


def test_lines_of_a_destroyed_machine_are_still_there(shop: Shop) -> None:
    machine = shop.run(HELLO, until="stopped")
    shop("machine", "destroy", machine.id)
    shop.client.machines.wait(shop.app, machine.id, "destroyed")
    for arguments in ((), ("-m", machine.id)):
        said = shop("logs", "-n", *arguments).stdout
        assert f"app[{machine.id}] local [info]hello" in said


def test_the_log_is_followed_until_ctrl_c(shop: Shop) -> None:
    with shop.ephemera.running("logs", "-a", shop.app) as logs:
        machine = shop.run(HELLO, until="stopped")
        assert logs.stdout
        while not logs.stdout.readline().endswith("not restarting\n"):
            assert logs.poll() is None
        logs.send_signal(signal.SIGINT)
        _, said = logs.communicate()
    assert logs.returncode == 130
    assert said == ""
    assert shop.client.machines.get(shop.app, machine.id).state == "stopped"


def test_a_reader_that_goes_away_is_no_error(shop: Shop) -> None:
    shop.run(
        (sys.executable, "-c", "for number in range(90): print('x' * 2000)"),
        until="stopped",
    )
    with shop.ephemera.running("logs", "-a", shop.app) as logs:
        assert logs.stdout
        assert logs.stderr
        logs.stdout.readline()
        logs.stdout.close()
        shop.run(HELLO)
        assert logs.stderr.read() == ""
        assert logs.wait() != 0


def test_an_unknown_app_is_an_error(shop: Shop) -> None:
    failed = shop.ephemera("logs", "-a", "nowhere", code=1)
    assert failed.stderr.startswith("error: ")
    assert "not find app" in failed.stderr or "not found" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_where_no_app_is_named_it_is_that_of_the_jobs(shop: Shop) -> None:
    unnamed = CommandLine(shop.ephemera.home)
    for variable in ("FLY_APP_NAME", "EPHEMERA_APP"):
        unnamed.environment.pop(variable, None)
    said = unnamed("logs", "-n", code=1).stderr
    assert "app not found" in said


def test_the_app_can_be_told_by_the_environment(shop: Shop) -> None:
    shop.run(HELLO, until="stopped")
    named = CommandLine(shop.ephemera.home)
    named.environment["FLY_APP_NAME"] = shop.app
    assert "]hello" in named("logs", "-n").stdout
