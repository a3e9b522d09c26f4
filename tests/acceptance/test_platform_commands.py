"""`ephemera up`, `down`, `status` and `auth token`, as a user meets them."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import httpx2
import pytest

from ephemera import Client
from ephemera.home import read_endpoint
from tests.acceptance.command_line import CommandLine
from tests.acceptance.inside import Inside
from tests.acceptance.shop import PAUSE, Shop

UP = ("up", "--listen", "127.0.0.1:0")


def test_a_platform_is_brought_up_looked_at_and_taken_down(ephemera: CommandLine) -> None:
    url = ephemera(*UP, "--detach").stdout.rstrip("\n")
    assert httpx2.get(url, trust_env=False).json()["service"] == "ephemera"

    said = ephemera("status").stdout
    assert url in said
    assert str(ephemera.home) in said

    ephemera("down")
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url, trust_env=False)


def test_its_status_can_be_read_by_programs(inside: Inside, own_shop: Shop) -> None:
    own_shop.run(PAUSE)
    facts = json.loads(inside("status", "--json").stdout)
    assert facts["running"] is True
    assert facts["machines"] == {"started": 1}
    assert facts["home"] == str(inside.home)
    inside("down")
    facts = json.loads(inside("status", "--json", code=3).stdout)
    assert facts == {"running": False, "home": str(inside.home)}


def test_the_status_of_nothing_says_how_to_start_it(inside: Inside) -> None:
    assert "ephemera up" in inside("status", code=3).stderr


def test_the_token_it_prints_is_the_one_that_opens_the_platform(inside: Inside) -> None:
    url = inside(*UP, "--detach").stdout.strip()
    shown = {"Authorization": f"Bearer {inside('auth', 'token').stdout.strip()}"}
    apps = f"{url}/v1/apps?org_slug=personal"
    assert httpx2.get(apps, headers=shown, trust_env=False).status_code == 200
    assert httpx2.get(apps, trust_env=False).status_code == 401


def test_there_is_no_token_before_the_first_start(inside: Inside) -> None:
    assert inside("auth", "token", code=1).stderr.startswith("error: there is no token")


def test_bringing_up_what_is_up_says_where_it_is(inside: Inside) -> None:
    first = inside(*UP, "--detach").stdout
    assert inside("up", "--detach").stdout == first


def test_the_driver_is_chosen_in_the_environment_also_where_it_starts_by_itself(
    inside: Inside,
) -> None:
    inside.environment["EPHEMERA_DRIVER"] = "mock"
    inside("apps", "create", "shop")
    assert json.loads(inside("status", "--json").stdout)["driver"] == "mock"
    assert inside("up", "--detach").stdout.startswith("http://")
    assert "mock driver" in inside("up", "--detach", "--driver", "process", code=1).stderr


def test_a_driver_in_the_environment_that_does_not_exist_is_an_error_that_names_it(
    inside: Inside,
) -> None:
    inside.environment["EPHEMERA_DRIVER"] = "bogus"
    assert "there is no driver 'bogus'" in inside("apps", "list", code=1).stderr


def test_a_platform_in_the_foreground_prints_its_url_first(ephemera: CommandLine) -> None:
    with ephemera.running(*UP) as platform:
        assert platform.stdout
        url = platform.stdout.readline().strip()
        assert httpx2.get(url, trust_env=False).json()["service"] == "ephemera"
        platform.send_signal(signal.SIGTERM)
        rest, said = platform.communicate()
    assert (platform.returncode, rest) == (0, "")
    assert "Traceback" not in said


def test_machines_live_on_when_the_platform_ends_and_down_stops_them(
    ephemera: CommandLine,
) -> None:
    with ephemera.running(*UP) as platform:
        assert platform.stdout
        url = platform.stdout.readline().strip()
        with Client(url, ephemera("auth", "token").stdout.strip()) as client:
            shop = Shop(ephemera, client, "shop")
            shop.run(PAUSE)
            shop.run(PAUSE)
        platform.send_signal(signal.SIGINT)
        _, said = platform.communicate()
    assert "2 machines live on" in said
    assert "Traceback" not in said
    assert "stopped 2 machines" in ephemera("down").stdout
    assert "nothing runs" in ephemera("down").stdout


def test_down_can_leave_the_machines_alone(inside: Inside, own_shop: Shop) -> None:
    machine = own_shop.run(PAUSE)
    inside("down", "--keep-machines")
    inside("status", code=3)
    url = inside(*UP, "--detach").stdout.strip()
    with Client(url, inside("auth", "token").stdout.strip()) as again:
        assert again.machines.get("shop", machine.id).state == "started"


def test_down_where_nothing_was_ever_up_is_fine(inside: Inside) -> None:
    assert f"nothing runs in {inside.home}" in inside("down").stdout


@pytest.mark.parametrize("how", [(), ("--detach",)], ids=["in front", "detached"])
def test_a_port_in_use_is_an_error_that_names_it(
    ephemera: CommandLine, how: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        failed = ephemera("up", "--listen", address, *how, code=1)
    assert f"cannot listen on {address}" in failed.stderr
    assert "--listen" in failed.stderr
    assert failed.stdout == ""


def test_a_second_server_on_the_folder_is_told_where_the_first_is(ephemera: CommandLine) -> None:
    url = ephemera(*UP, "--detach").stdout.strip()
    failed = ephemera(*UP, code=1)
    assert url in failed.stderr
    assert "hint: `ephemera down`" in failed.stderr
    assert url in ephemera("up", "--detach", "--driver", "mock", code=1).stderr


@pytest.mark.parametrize("how", [(), ("--detach",)], ids=["in front", "detached"])
def test_a_folder_that_cannot_be_made_is_an_error(
    ephemera: CommandLine, tmp_path: Path, how: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    ephemera.environment["EPHEMERA_HOME"] = str(tmp_path / "file" / "home")
    failed = ephemera(*UP, *how, code=1)
    assert failed.stderr.startswith(f"error: the state folder {tmp_path / 'file' / 'home'}")
    assert "hint: set EPHEMERA_HOME" in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--listen", "nonsense"), "'nonsense' is not HOST:PORT"),
        (("--listen", "127.0.0.1:99999"), "is not HOST:PORT"),
        (("--listen", "127.0.0.1:0", "--driver", "nonsense"), "there is no driver 'nonsense'"),
    ],
)
def test_a_wrong_value_is_an_error_with_a_hint(
    inside: Inside, arguments: tuple[str, ...], said: str
) -> None:
    failed = inside("up", *arguments, code=1)
    assert said in failed.stderr
    assert "hint: " in failed.stderr


def test_a_stranger_on_the_port_of_a_dead_platform_is_not_taken_for_it(
    inside: Inside, tmp_path: Path
) -> None:
    inside(*UP, "--detach")
    left_behind = (inside.home / "platform.json").read_text()
    inside("down")
    other = Inside(CommandLine(tmp_path / "other"), tmp_path)
    url = other(*UP, "--detach").stdout.strip()
    stale = json.loads(left_behind) | {"url": url}
    (inside.home / "platform.json").write_text(json.dumps(stale))
    inside("status", code=3)
    inside("down")
    other("status")
    other("down")


def test_down_stops_the_machines_of_a_server_that_was_killed(
    inside: Inside, own_shop: Shop
) -> None:
    machine = own_shop.run(PAUSE)
    endpoint = read_endpoint(inside.home)
    assert endpoint
    os.kill(endpoint.pid, signal.SIGKILL)
    inside("status", code=3)
    assert "stopped 1 machine" in inside("down").stdout
    inside(*UP, "--detach")
    shown = json.loads(own_shop("machine", "show", machine.id, "--json").stdout)
    assert shown["state"] == "stopped"
