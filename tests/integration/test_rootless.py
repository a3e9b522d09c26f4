"""The container driver for a user who is not root, who is a real one here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from ephemera.home import read_endpoint
from ephemera.testing.drivers import CHECKS
from tests.contract.test_drivers import OF_FILES
from tests.images import busybox, entry, file, folder, layer
from tests.registry import Registry
from tests.rootless_world import User, an_ordinary_user, marks, until

pytestmark = [*marks, pytest.mark.timeout(180)]
#: For all checks of the contract, one after the other.
_CONTRACT_S = 400
_UP = ("up", "--driver", "container", "--detach", "--listen", "127.0.0.1:0")


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with an_ordinary_user() as user:
        yield user


@pytest.fixture(scope="module")
def platform(user: User, registry: Registry) -> Iterator[User]:
    """A user whose platform runs; nothing of either is left afterwards.

    The registry is there before it: `pasta` looks once a second for what listens.
    """
    up = user.ephemera(*_UP)
    assert up.returncode == 0, up
    yield user
    user.ephemera("down")


@pytest.fixture(scope="module")
def image(registry: Registry) -> str:
    """An image in which a layer takes away what those below it have."""
    below = layer(folder("a"), file("a/old"), folder("b"), file("b/old"), file("gone"))
    above = layer(
        folder("a"), entry("a/.wh..wh..opq"), file("a/new"), entry(".wh.gone"),
        file("b/owned", uid=1234, gid=65534), file("b/foreign", uid=100_000, gid=5),
    )  # fmt: skip
    return registry.push("rootless", busybox(below, above))


def test_an_image_is_pulled_from_a_registry_of_this_computer(platform: User, image: str) -> None:
    script = "id -u; ls a b; ls gone 2>/dev/null || echo gone; stat -c %n:%u:%g b/*ed b/f*; exit 7"
    ran = platform.ephemera("machine", "run", "--rm", image, "sh", "-c", script)
    assert ran.returncode == 7, ran
    files, owners = ran.stdout.split()[:-2], ran.stdout.split()[-2:]
    assert files == ["0", "a:", "new", "b:", "foreign", "old", "owned", "gone"], ran
    assert owners == ["b/owned:1234:65534", "b/foreign:65534:5"], ran


def test_other_users_of_an_image_are_users_too(platform: User, image: str) -> None:
    script = "id -u; touch /tmp/mine; stat -c %u /tmp/mine; touch /etc/x 2>/dev/null || echo no"
    run = ("machine", "run", "--rm", "--user", "nobody", image, "sh", "-c", script)
    assert platform.output(*run).split() == ["65534", "65534", "no"]


def test_image_host_is_what_the_user_may_read(platform: User) -> None:
    mine = platform.home / "app.py"
    mine.write_text("mine")
    mine.chmod(0o644)
    script = (
        f"cat {mine}; echo changed > {platform.home}/other; cat {platform.home}/other;"
        f" ls {platform.home}/state 2>/dev/null; cat /etc/shadow 2>/dev/null; ls /usr/bin/env"
    )
    ran = platform.output("machine", "run", "--rm", "host", "sh", "-c", script)
    assert ran.split() == ["minechanged", "/usr/bin/env"]
    assert not (platform.home / "other").exists()


def test_a_file_system_that_ended_can_be_had(platform: User, image: str) -> None:
    run = ("machine", "run", "--detach", image, "sh", "-c", "echo kept > /kept")
    machine = platform.output(*run)
    _has_ended(platform, machine)
    inspected = platform.ephemera("machine", "inspect", machine)
    assert inspected.returncode == 0, inspected
    to = str(platform.home / "out.tar")
    platform.output("machine", "export", machine, "--output", to)
    listed = subprocess.run(["tar", "-xOf", to, "kept"], capture_output=True, text=True)
    assert listed.stdout == "kept\n", listed
    platform.output("machine", "destroy", machine)


def _has_ended(platform: User, machine: str) -> None:
    """Return when a machine of the app `jobs` has ended."""

    def state() -> str:
        shown = json.loads(platform.output("machine", "show", "--json", machine))
        return str(shown["state"])

    until(lambda: state() == "stopped", state)


_SERVE = """
import http.server, os
os.chdir("/srv")
open("here", "w").write("served")
http.server.ThreadingHTTPServer.address_family = 10
http.server.ThreadingHTTPServer(("::", 80), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
_ASK = """
import sys, urllib.request
for url in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(url, timeout=3).read().decode())
    except OSError as error:
        print("no")
"""


def _serving(platform: User, app: str) -> tuple[str, str]:
    """Start a machine that serves; return it and its address."""
    run = ("machine", "run", "--detach", "--app", app, "host", platform.python, "-c", _SERVE)
    machine = platform.output(*run)
    shown = json.loads(platform.output("machine", "show", "--app", app, "--json", machine))
    return machine, shown["private_ip"]


def _asked(platform: User, app: str, *urls: str) -> list[str]:
    run = ("machine", "run", "--rm", "--app", app, "host", platform.python, "-c", _ASK, *urls)
    return platform.output(*run).splitlines()


def test_machines_of_two_apps_are_apart_and_those_of_one_have_names(platform: User) -> None:
    machine, address = _serving(platform, "one")
    urls = (f"http://{machine}.vm.one.internal/here", f"http://[{address}]/here")
    until(
        lambda: _asked(platform, "one", *urls) == ["served", "served"],
        lambda: _asked(platform, "one", *urls),
    )
    assert _asked(platform, "two", *urls) == ["no", "no"]
    platform.output("machine", "destroy", "--app", "one", "--force", machine)


def test_machines_do_not_reach_what_this_computer_serves_to_itself(
    platform: User, registry: Registry
) -> None:
    port = registry.address.rpartition(":")[2]
    gateway = "print(open('/proc/net/route').read())"
    routes = platform.output("machine", "run", "--rm", "host", platform.python, "-c", gateway)
    hexadecimal = routes.splitlines()[1].split()[2]
    via = ".".join(str(one) for one in reversed(bytes.fromhex(hexadecimal)))
    hosts = (via, "127.0.0.1", _host(platform), *_gateways())
    asked = _asked(platform, "one", *(f"http://{one}:{port}/v2/" for one in hosts))
    assert asked == ["no"] * len(hosts)


def _host(platform: User) -> str:
    """Return the address as which machines are told of this computer."""
    state = platform.home / "state"
    endpoint = read_endpoint(state)
    assert endpoint
    token = (state / "token").read_text().strip()
    headers = {"authorization": f"Bearer {token}"}
    answer = httpx2.get(f"{endpoint.url}/ephemera/reach", headers=headers).raise_for_status()
    return str(answer.json()["host"])


def _gateways() -> list[str]:
    """Return the gateways of this computer, as which `pasta` could show the computer itself."""
    listed = subprocess.run(["ip", "route", "show", "default"], capture_output=True, text=True)
    words = [line.split() for line in listed.stdout.splitlines()]
    return [one[2] for one in words if one[:2] == ["default", "via"]]


def test_machines_outlive_a_server_that_is_killed(platform: User, image: str) -> None:
    run = ("machine", "run", "--detach", image, "sh", "-c", "echo begun > /kept; sleep 1000")
    sleeper = platform.output(*run)
    server, _ = _serving(platform, "one")
    endpoint = read_endpoint(platform.home / "state")
    assert endpoint
    os.kill(endpoint.pid, signal.SIGKILL)
    up = platform.ephemera(*_UP)
    assert up.returncode == 0, up
    assert platform.output("machine", "exec", sleeper, "--", "cat", "/kept") == "begun"
    assert "sleep 1000" in platform.output("machine", "ps", sleeper)
    url = f"http://{server}.vm.one.internal/here"
    until(
        lambda: _asked(platform, "one", url) == ["served"],
        lambda: _asked(platform, "one", url),
    )
    for app, machine in (("jobs", sleeper), ("one", server)):
        platform.output("machine", "destroy", "--app", app, "--force", machine)


def test_nothing_is_left_when_the_platform_is_down(platform: User) -> None:
    assert any("pasta" in one for one in platform.processes())
    down = platform.ephemera("down")
    assert down.returncode == 0, down
    until(lambda: not platform.processes(), platform.processes)
    assert str(platform.home) not in Path("/proc/self/mountinfo").read_text()
    assert platform.ephemera(*_UP).returncode == 0


def _kept(user: User, folder: str, image: str, *checks: str) -> dict[str, str]:
    """Return what the checks of the contract found, by their names; all, if none is named."""
    words = ("-m", "tests.rootless_checks", str(user.home / folder), image, *checks)
    done = user.run(*words, timeout=_CONTRACT_S - 20)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.timeout(_CONTRACT_S)
def test_the_contract_of_drivers_is_kept(user: User, registry: Registry) -> None:
    image = registry.push("contract", busybox(cmd=[]))
    assert _kept(user, "contract-image", image) == dict.fromkeys(CHECKS, "")


@pytest.mark.timeout(_CONTRACT_S)
def test_the_contract_of_drivers_is_kept_with_this_computers_files(user: User) -> None:
    assert _kept(user, "contract-host", "host", *OF_FILES) == dict.fromkeys(OF_FILES, "")


@pytest.fixture
def lonely() -> Iterator[User]:
    """A user whose platform nobody else uses."""
    with an_ordinary_user() as user:
        yield user
        user.ephemera("down")


def _path_without(user: User, *missing: str) -> str:
    """Return a PATH with all programs of `/usr/bin` but some."""
    folder = user.home / "bin"
    folder.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name not in missing:
            (folder / program.name).symlink_to(program)
    return str(folder)


def test_without_pasta_machines_run_and_it_is_said_that_nothing_is_outside(lonely: User) -> None:
    path = _path_without(lonely, "pasta")
    up = lonely.ephemera(*_UP, path=path)
    assert up.returncode == 0, up
    assert lonely.output("machine", "run", "--rm", "host", "echo", "ran") == "ran"
    log = (lonely.home / "state/platform.log").read_text()
    assert "nor pulls reach the world outside: pasta is not installed" in log


def test_without_newuidmap_the_driver_does_not_start_and_says_why(lonely: User) -> None:
    path = _path_without(lonely, "newuidmap")
    up = lonely.ephemera(*_UP, path=path)
    assert up.returncode == 1, up
    assert "there is no newuidmap and newgidmap" in up.stderr
    assert "apt-get install uidmap" in up.stderr
