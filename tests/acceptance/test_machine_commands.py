"""`ephemera apps` and `ephemera machine`."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.acceptance.shop import PAUSE, Shop


def test_apps_are_created_and_destroyed(shop: Shop) -> None:
    shop.ephemera("apps", "create", "depot")
    rows = json.loads(shop.ephemera("apps", "list", "--json").stdout)
    assert {"depot", shop.app} <= {row["name"] for row in rows}
    shop.ephemera("apps", "destroy", "depot", "--yes")
    assert "already" in shop.ephemera("apps", "create", shop.app, code=1).stderr
    assert "depot" not in shop.ephemera("apps", "list").stdout


def test_the_network_of_an_app_is_shown_and_not_closed_where_there_are_none(shop: Shop) -> None:
    facts = json.loads(shop.ephemera("apps", "network", shop.app, "--json").stdout)
    assert (facts["network"], facts["outside"]) == ("default", True)
    said = shop.ephemera("apps", "network", shop.app).stdout
    assert f"prefix   {facts['prefix']}\n" in said
    assert shop.ephemera("apps", "network", shop.app, "--outside").stdout == said
    refused = shop.ephemera("apps", "network", shop.app, "--no-outside", code=1).stderr
    assert "use 'container'" in refused
    assert refused == shop.ephemera(
        "apps", "create", "shut", "--no-outside", code=1
    ).stderr.replace("'shut'", repr(shop.app))
    assert "shut" not in shop.ephemera("apps", "list").stdout, "it was not to be open"


def test_apps_can_share_a_network(shop: Shop) -> None:
    prefixes = set()
    for name in ("front", "back"):
        shop.ephemera("apps", "create", name, "--network", "inner")
        facts = json.loads(shop.ephemera("apps", "network", name, "--json").stdout)
        assert facts["network"] == "inner"
        prefixes.add(facts["prefix"])
        shop.ephemera("apps", "destroy", name, "--yes")
    assert len(prefixes) == 1


def test_an_app_is_destroyed_with_machines_that_run_where_yes_was_said(shop: Shop) -> None:
    shop.run(PAUSE)
    shop.ephemera("apps", "destroy", shop.app, "--yes")
    assert shop.app not in shop.ephemera("apps", "list").stdout


def test_a_machine_is_stopped_started_and_destroyed(shop: Shop) -> None:
    machine = shop.run(PAUSE).id
    shop("machine", "stop", machine, "--timeout", "1m")
    assert "stopped" in shop("machine", "show", machine).stdout
    assert shop("machine", "start", machine).stdout == f"{machine} is started\n"
    shop("machine", "destroy", machine, code=1)
    shop("machine", "destroy", machine, "--force")
    shop.client.machines.wait(shop.app, machine, "destroyed")
    assert machine not in shop("machine", "list").stdout
    assert machine in shop("machine", "list", "--all").stdout


def test_machines_are_listed_for_people_and_for_programs(shop: Shop) -> None:
    machine = shop.run(PAUSE)
    assert f"{machine.id}  started  {machine.name}" in shop("machine", "list").stdout
    (row,) = json.loads(shop("machine", "list", "--json").stdout)
    assert (row["id"], row["state"]) == (machine.id, "started")


def test_a_command_in_a_machine_gives_its_output_and_exit_status(shop: Shop) -> None:
    machine = shop.run(PAUSE).id
    program = (
        "import os, sys; print(os.environ['FLY_MACHINE_ID'])\n"
        "print('no', file=sys.stderr); sys.exit(7)"
    )
    arguments = ("machine", "exec", machine, "--", sys.executable, "-c", program)
    done = shop(*arguments, code=7)
    assert (done.stdout, done.stderr) == (f"{machine}\n", "no\n")
    done = shop("machine", "exec", machine, "--", "head", "-c", "2000000", "/dev/zero")
    assert len(done.stdout) == 1_048_576
    assert done.stderr.startswith("warning: of more than 1,048,576 bytes of output the rest is dr")


def test_an_unknown_machine_is_an_error(shop: Shop) -> None:
    for verb in ("show", "start", "stop", "destroy"):
        said = shop("machine", verb, "00000000000000", code=1).stderr
        assert said.startswith("error: ")


def test_a_command_in_a_machine_reads_what_we_read(shop: Shop) -> None:
    machine = shop.run(PAUSE).id
    words = ("machine", "exec", "-i", machine, "--", "tr", "a-z", "A-Z")
    command = [sys.executable, "-m", "ephemera", *words]
    for given, code, out in ((b"h\xc3\xa4llo", 0, b"H\xc3\xa4LLO"), (b"\xff", 1, b"")):
        done = subprocess.run(
            command, input=given, env=shop.ephemera.environment, capture_output=True, check=False
        )
        assert (done.returncode, done.stdout) == (code, out), done.stderr
