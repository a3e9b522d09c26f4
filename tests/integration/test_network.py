"""Machines in private networks: real namespaces, cables, bridges and rules.

The network namespace of the test stands for this computer, see `tests/network_world.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from ephemera.errors import BootFailed
from ephemera.platform.network import namespaces, netlink, router
from ephemera.platform.network.names import Named
from ephemera.platform.network.resolver import Resolver
from ephemera.platform.network.router import Network
from tests import needs
from tests.network_world import Machine, Place, computer, home_in, internet, links_here

pytestmark = [pytest.mark.root, needs.linux, needs.root, needs.nft]

ONE, OTHER = "fdaa:1:2::/48", "fdaa:1:3::/48"
WORLD = "192.0.2.1"
REFUSED = "refused:"
#: Long enough for a slow computer, and never waited for where all is well.
PATIENCE_S = 60.0
#: AWS and most others, AWS for containers, Alibaba, Azure.
CREDENTIALS = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16")


class Scene:
    """A computer with a platform's network, and machines in it."""

    def __init__(self, folder: Path, host: int, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.host = Place(host, stack)
        self.network = Network(home_in(folder, "home"))
        self._count = 0

    async def machine(self, network: str = ONE, *, outside: bool = True) -> Machine:
        """Return a new machine in a network."""
        self._count += 1
        address = network.replace("::/48", f":a7b::{self._count:x}")
        plug = await self.network.plug(network, address, f"id{self._count}", outside=outside)
        return Machine(self.network, plug, f"m{self._count}", self.stack)

    def router(self) -> Place:
        """Return the router as a place to run programs in."""
        held = os.dup(self.network.router_fd())
        self.stack.callback(os.close, held)
        return Place(held, self.stack)


Act = Callable[[Scene], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Act], None]:
    """Play a scene on a computer of its own; nothing may be left there afterwards."""

    def run(act: Act) -> None:
        async def whole(host: int, stack: ExitStack) -> None:
            scene = Scene(tmp_path, host, stack)
            await scene.network.open([])
            try:
                await act(scene)
            finally:
                stack.close()
                await scene.network.close()

        with computer() as host:
            with ExitStack() as stack:
                asyncio.run(whole(host, stack))
            gone("eph")
            assert "ephemera" not in Place(host, stack).run("nft", "list", "ruleset")

    return run


def gone(prefix: str) -> None:
    """Wait until the computer has no link whose name begins so: a namespace dies slowly."""
    until = time.monotonic() + PATIENCE_S
    while left := [name for name in links_here() if name.startswith(prefix)]:
        assert time.monotonic() < until, f"{left} is left behind"
        time.sleep(0.01)


def test_machines_of_one_network_reach_each_other_and_nobody_else_does(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        one, two = await scene.machine(), await scene.machine()
        stranger = await scene.machine(OTHER)
        two.serve(two.ipv6, 80)
        two.serve(two.ipv4, 80)
        assert one.ask(two.ipv6, 80) == one.ipv6
        assert one.ask(two.ipv4, 80) == one.ipv4
        for address in (two.ipv6, two.ipv4):
            assert REFUSED in stranger.ask(address, 80)

    play(act)


def test_a_machine_has_what_the_plug_says(play: Callable[[Act], None]) -> None:
    async def act(scene: Scene) -> None:
        one = await scene.machine()
        [lo, eth0] = json.loads(one.run("ip", "-j", "address"))
        assert "UP" in lo["flags"]
        assert "UP" in eth0["flags"]
        assert (eth0["ifname"], eth0["address"]) == ("eth0", one.plug.mac)
        found = {
            f"{x['local']}/{x['prefixlen']}" for x in eth0["addr_info"] if x["scope"] != "link"
        }
        assert found == {one.plug.ipv4, one.plug.ipv6}
        [default, _] = json.loads(one.run("ip", "-j", "route"))
        assert (default["dst"], default["gateway"]) == ("default", one.plug.gateway4)
        assert "default" not in one.run("ip", "-6", "route"), "there is no IPv6 to the world"

    play(act)


def test_a_machine_that_takes_an_address_of_another_network_is_not_heard(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        liar = await scene.machine()
        listener = scene.network.listen("fdaa::3", 53, socket.SOCK_DGRAM)
        listener.setblocking(True)
        listener.settimeout(PATIENCE_S)
        talk = (
            "import socket, sys; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM);"
            " s.bind((sys.argv[1], 0)); s.sendto(b'hello', ('fdaa::3', 53))"
        )
        with listener:
            for address, heard in ((liar.ipv6, True), ("fdaa:1:3:a7b::1", False)):
                liar.run("ip", "address", "add", f"{address}/128", "dev", "eth0", "nodad")
                said = liar.run("python3", "-c", talk, address)
                assert said == ""
                if heard:
                    assert listener.recv(10) == b"hello"
                else:
                    listener.settimeout(0.3)
                    with pytest.raises(TimeoutError):
                        listener.recv(10)

    play(act)


def test_machines_reach_the_world_and_the_switch_closes_it_at_once(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        internet(scene.host.namespace, scene.stack).serve(WORLD, 80)
        open_one, closed = await scene.machine(), await scene.machine(OTHER, outside=False)
        assert open_one.ask(WORLD, 80) == "192.0.2.2", "it comes from this computer"
        assert REFUSED in closed.ask(WORLD, 80)
        await scene.network.set_outside(ONE, outside=False)
        await scene.network.set_outside(OTHER, outside=True)
        told = open_one.ask(WORLD, 80)
        assert REFUSED in told
        assert "timed out" not in told, "it is told so, and need not wait"
        assert closed.ask(WORLD, 80) == "192.0.2.2"
        assert scene.network.is_closed(ONE)
        assert not scene.network.is_closed(OTHER)

    play(act)


def test_no_machine_reaches_where_clouds_keep_credentials(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        world = internet(scene.host.namespace, scene.stack)
        with namespaces.inside(world.namespace, netlink.connect) as sock:
            index = netlink.named(sock)["world"].index
            for address in CREDENTIALS:
                netlink.ask(sock, netlink.assign(index, f"{address}/32"))
        world.serve("0.0.0.0", 80)
        machine = await scene.machine()
        for address in CREDENTIALS:
            assert scene.host.ask(address, 80), "this computer does"
            assert REFUSED in machine.ask(address, 80)

    play(act)


def test_a_connection_that_is_open_ends_where_the_network_is_closed(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        world = internet(scene.host.namespace, scene.stack)
        machine = await scene.machine()
        listener = namespaces.inside(world.namespace, lambda: socket.create_server((WORLD, 80)))
        ours = namespaces.inside(
            machine.namespace, lambda: socket.create_connection((WORLD, 80), timeout=PATIENCE_S)
        )
        theirs, _ = listener.accept()
        with listener, ours, theirs:
            ours.sendall(b"before")
            assert theirs.recv(10) == b"before"
            await scene.network.set_outside(ONE, outside=False)
            ours.sendall(b"after")
            theirs.settimeout(0.5)
            with pytest.raises(TimeoutError):
                theirs.recv(10)

    play(act)


def test_this_computer_reaches_machines_and_they_reach_it_also_where_they_are_closed(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        host = scene.network.host_address
        low = int(scene.network._uplink.host.any_ports.split("-")[0])
        scene.host.serve(host, low)
        scene.host.serve(host, 81)
        for network, outside in ((ONE, True), (OTHER, False)):
            machine = await scene.machine(network, outside=outside)
            machine.serve(machine.ipv6, 80)
            assert REFUSED not in scene.host.ask(machine.ipv6, 80)
            assert REFUSED not in machine.ask(host, low), "a supervisor may listen there"
            assert (REFUSED in machine.ask(host, 81)) is not outside

    play(act)


def test_machines_reach_nothing_of_the_router_but_its_services(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        machine = await scene.machine(outside=False)
        for address in ("fdaa::3", "100.64.0.3"):
            for port, served in ((4280, True), (22, False)):
                scene.router().serve(address, port)
                assert (REFUSED not in machine.ask(address, port)) is served

    play(act)


def test_a_server_that_starts_takes_the_router_that_its_monitors_live_in(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        internet(scene.host.namespace, scene.stack).serve(WORLD, 80)
        one, closed = await scene.machine(), await scene.machine(OTHER, outside=False)
        monitor = scene.router().hold()
        elsewhere = Place(namespaces.fresh(), scene.stack).hold()
        before = os.fstat(scene.network.router_fd()).st_ino
        await scene.network.close(stays=True)
        one.serve(one.ipv6, 80)
        assert one.ask(WORLD, 80) == "192.0.2.2", "machines do not miss the server"
        await scene.network.open([elsewhere.pid, os.getpid(), 2**22, monitor.pid])
        assert os.fstat(scene.network.router_fd()).st_ino == before
        two = await scene.machine()
        assert two.plug.ipv4 not in {one.plug.ipv4, closed.plug.ipv4}
        assert two.ask(one.ipv6, 80) == two.ipv6
        assert scene.host.ask(one.ipv6, 80)
        assert REFUSED in closed.ask(WORLD, 80)
        await scene.network.open([monitor.pid])
        assert two.ask(WORLD, 80) == "192.0.2.2"

    play(act)


def test_an_uplink_that_somebody_removed_is_laid_again(play: Callable[[Act], None]) -> None:
    async def act(scene: Scene) -> None:
        internet(scene.host.namespace, scene.stack).serve(WORLD, 80)
        one = await scene.machine()
        one.serve(one.ipv6, 80)
        monitor = scene.router().hold()
        await scene.network.close(stays=True)
        [uplink] = [name for name in links_here() if name.startswith("eph")]
        scene.host.run("ip", "link", "delete", uplink)
        assert REFUSED in one.ask(WORLD, 80)
        await scene.network.open([monitor.pid])
        assert one.ask(WORLD, 80) == "192.0.2.2"
        assert REFUSED not in scene.host.ask(one.ipv6, 80)

    play(act)


@pytest.mark.parametrize("patience_s", [60.0, 0.0])
def test_what_the_host_allows_goes_where_monitors_take_a_moment_to_end(
    play: Callable[[Act], None], monkeypatch: pytest.MonkeyPatch, patience_s: float
) -> None:
    async def act(scene: Scene) -> None:
        await scene.machine()
        monitor = scene.router().hold()
        looks = namespaces.has_others

        def looks_while_it_ends(namespace: int) -> bool:
            found = looks(namespace)
            monitor.kill()
            monitor.wait()
            return found

        with monkeypatch.context() as patched:
            patched.setattr(namespaces, "has_others", looks_while_it_ends)
            patched.setattr(router, "_LEFT_WITHIN_S", patience_s)
            await scene.network.close()
        is_there = "ephemera" in scene.host.run("nft", "list", "tables")
        assert is_there == (patience_s == 0), "what takes too long may be a machine that runs"
        await scene.network.open([])

    play(act)


def test_a_server_starts_while_the_router_of_the_last_one_is_still_going(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        for _ in range(5):
            await scene.network.close()
            await scene.network.open([])
        internet(scene.host.namespace, scene.stack).serve(WORLD, 80)
        assert (await scene.machine()).ask(WORLD, 80) == "192.0.2.2"

    play(act)


def test_an_uplink_that_goes_by_itself_just_when_it_is_to_be_removed_is_laid_again(
    play: Callable[[Act], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel removes what the router of the last server has left, in its own time."""
    remove, removed = netlink.remove, []

    def too_late(index: int) -> netlink.Request:
        with netlink.connect() as sock:
            netlink.ask(sock, remove(index))
        removed.append(index)
        return remove(index)

    async def act(scene: Scene) -> None:
        await scene.network.close()
        gone("eph")
        left = netlink.pair(scene.network._uplink.name, peer=[netlink.text(netlink.NAME, "old")])
        with netlink.connect() as sock:
            netlink.ask(sock, left)
        with monkeypatch.context() as patched:
            patched.setattr(netlink, "remove", too_late)
            await scene.network.open([])
        assert removed
        one = await scene.machine()
        one.serve(one.ipv6, 80)
        assert REFUSED not in scene.host.ask(one.ipv6, 80)

    play(act)


def test_two_platforms_on_one_computer_do_not_disturb_each_other(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        internet(scene.host.namespace, scene.stack).serve(WORLD, 80)
        mine = await scene.machine()
        mine.serve(mine.ipv6, 80)
        mine.serve(mine.ipv4, 80)
        other = Network(home_in(scene.folder, "other"))
        await other.open([])
        try:
            plug = await other.plug(OTHER, "fdaa:1:3:a7b::1", "theirs", outside=True)
            theirs = Machine(other, plug, "m1", scene.stack)
            named = await other.plug(ONE, "fdaa:1:2:a7b::77", "same", outside=True)
            same = Machine(other, named, "m2", scene.stack)
            assert other.host_address != scene.network.host_address
            assert theirs.ask(WORLD, 80) == mine.ask(WORLD, 80) == "192.0.2.2"
            for address in (mine.ipv6, mine.ipv4):
                assert REFUSED in theirs.ask(address, 80, 0.5)
                assert REFUSED in same.ask(address, 80, 0.5)
            assert any(ONE in problem for problem in other.problems())
        finally:
            await other.close()
        assert mine.ask(WORLD, 80) == "192.0.2.2"
        assert REFUSED not in scene.host.ask(mine.ipv6, 80)

    play(act)


def test_a_host_whose_firewall_forwards_nothing_lets_machines_out(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        internet(scene.host.namespace, scene.stack).serve(WORLD, 80)
        scene.host.run("iptables", "-P", "FORWARD", "DROP")
        assert (await scene.machine()).ask(WORLD, 80) == "192.0.2.2"
        monitor = scene.router().hold()
        await scene.network.close(stays=True)
        assert "eph" in scene.host.run("iptables", "-S", "FORWARD"), "a machine may still run"
        await scene.network.open([monitor.pid])
        monitor.kill()
        monitor.wait()
        scene.stack.close()
        await scene.network.close()
        assert scene.host.run("iptables", "-S", "FORWARD") == "-P FORWARD DROP"

    if needs.which("iptables") is None:
        pytest.skip("there is no iptables: apt-get install iptables")
    play(act)


def test_a_dropped_network_leaves_no_bridge_and_no_route(play: Callable[[Act], None]) -> None:
    async def act(scene: Scene) -> None:
        await scene.network.plug(ONE, "fdaa:1:2:a7b::1", "id1", outside=True)
        await scene.network.drop(ONE)
        assert "n00010002" in scene.router().run("ip", "link"), "it has a machine"
        await scene.network.unplug("id1")
        await scene.network.drop(ONE)
        await scene.network.drop(ONE)
        assert "n00010002" not in scene.router().run("ip", "link")
        assert "fdaa:1:2::/48" not in scene.host.run("ip", "-6", "route")
        again = await scene.machine()
        again.serve(again.ipv6, 80)
        assert REFUSED not in scene.host.ask(again.ipv6, 80)

    play(act)


def test_where_there_is_no_ipv6_machines_have_ipv4(play: Callable[[Act], None]) -> None:
    async def act(scene: Scene) -> None:
        scene.network._switchboard.ipv6 = False
        await scene.network.close()
        await scene.network.open([])
        one, two = await scene.machine(), await scene.machine()
        assert one.plug.ipv6 == ""
        assert one.plug.resolver == "100.64.0.3"
        assert scene.network.services == ["100.64.0.3"]
        two.serve(two.ipv4, 80)
        assert one.ask(two.ipv4, 80) == one.ipv4
        assert scene.network.problems() == ["this kernel has no IPv6: machines have IPv4 only"]

    play(act)


def test_a_computer_that_may_not_forward_says_why_machines_cannot_get_out(
    play: Callable[[Act], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> None:
        raise OSError("there is no nft")

    async def act(scene: Scene) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("ephemera.platform.network.forwarding.rules.apply", refuse)
            scene.network._forwarding.allow(scene.network._uplink.router4)
        assert scene.network.problems() == [
            "machines cannot reach the world outside: there is no nft"
        ]

    play(act)


def test_what_the_kernel_refuses_is_said(play: Callable[[Act], None]) -> None:
    async def act(scene: Scene) -> None:
        router = namespaces.inside(scene.network.router_fd(), netlink.connect)
        await scene.network.plug(ONE, "fdaa:1:2:a7b::1", "id1", outside=True)
        with router:
            with pytest.raises(OSError, match="making n00010002: File exists"):
                netlink.ask(router, netlink.bridge("n00010002"))
            with pytest.raises(OSError, match="finding link none"):
                netlink.find(router, "none")
            with pytest.raises(OSError, match="setting up 999"):
                netlink.ask(router, netlink.change(999), netlink.change("lo"))
            assert netlink.find(router, "lo").index == 1, "no answer is left unread"
        scene.network._numbers.networks[ONE].taken.update(range(5000))
        with pytest.raises(BootFailed, match="is full"):
            await scene.network.plug(ONE, "fdaa:1:2:a7b::2", "id2", outside=True)

    play(act)


_LISTENER_REPORT, _ROUTER_SOLICITATION, _NEIGHBOUR_SOLICITATION = 143, 133, 135
_ECHO_REQUEST = 128


def _to_all(sender: Machine, kind: int, source: str) -> bytes:
    """Return a frame of ICMPv6 that a machine sends to all of its network."""
    addresses = (socket.inet_pton(socket.AF_INET6, one) for one in (source, "ff02::1"))
    message = bytes([kind, *bytes(23)])
    head = struct.pack("!IHBB", 6 << 28, len(message), socket.IPPROTO_ICMPV6, 255)
    macs = bytes.fromhex("333300000001" + sender.plug.mac.replace(":", ""))
    return b"".join([macs, b"\x86\xdd", head, *addresses, message])


def _frames_of(machine: Machine) -> socket.socket:
    """Return a socket for the IPv6 frames of a machine's cable."""
    ipv6 = 0x86DD
    sock = namespaces.inside(
        machine.namespace, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    )
    sock.bind(("eth0", ipv6))
    sock.settimeout(0.1)
    return sock


def test_what_a_machine_says_to_all_when_it_comes_up_reaches_no_other(
    play: Callable[[Act], None],
) -> None:
    async def act(scene: Scene) -> None:
        one, two = await scene.machine(), await scene.machine()
        frame, mac = b"", bytes.fromhex(two.plug.mac.replace(":", ""))
        with _frames_of(one) as heard, _frames_of(two) as said:
            while frame[6:12] != mac:  # a bridge takes a moment before it lets anything pass
                said.send(_to_all(two, _LISTENER_REPORT, two.ipv6))
                said.send(_to_all(two, _ROUTER_SOLICITATION, two.ipv6))
                said.send(_to_all(two, _NEIGHBOUR_SOLICITATION, "::"))
                said.send(_to_all(two, _ECHO_REQUEST, two.ipv6))
                with suppress(TimeoutError):
                    frame = heard.recv(2000)
        assert frame[54] == _ECHO_REQUEST, "only what comes after those is heard"
        assert scene.network.problems() == []

    play(act)


def test_the_router_has_no_route_for_each_machine(play: Callable[[Act], None]) -> None:
    async def act(scene: Scene) -> None:
        await scene.machine()
        routes = json.loads(scene.router().run("ip", "-6", "-j", "route", "show", "table", "all"))
        assert {one["dev"] for one in routes} <= {"lo", "uplink", "n00010002"}

    play(act)


def test_a_kernel_that_has_no_rules_for_bridges_has_machines_as_well(
    play: Callable[[Act], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(scene: Scene) -> None:
        await scene.network.close()
        with monkeypatch.context() as patched:
            patched.setattr("ephemera.platform.network.rules._BRIDGES", "table bridge? {}")
            await scene.network.open([])
        [problem] = scene.network.problems()
        assert problem.startswith("hundreds of machines of one network take longer to start: nft")
        assert "\n" not in problem
        one, two = await scene.machine(), await scene.machine()
        two.serve(two.ipv6, 80)
        assert one.ask(two.ipv6, 80) == one.ipv6

    play(act)


#: Prints the records of a name, or why there are none: `SERVER NAME TYPE [tcp]`.
_LOOK_UP = """
import dns.resolver, sys
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.lifetime = [sys.argv[1]], 30
try:
    print(*(one.to_text() for one in resolver.resolve(*sys.argv[2:4], tcp=len(sys.argv) > 4)))
except Exception as error:
    print(type(error).__name__)
"""


class _OneApp:
    """A directory with the machines of one app."""

    def __init__(self, *machines: Named) -> None:
        self._machines = machines

    def apps(self, network: str) -> Sequence[str]:
        return ["web"] if network == ONE else []

    def machines(self, network: str, app_name: str) -> Sequence[Named]:
        return self._machines

    def serves(self, network: str, app_name: str) -> bool:
        return network == ONE and app_name == "web"


def test_names_are_answered_in_the_router_by_who_asks(play: Callable[[Act], None]) -> None:
    async def act(scene: Scene) -> None:
        one, stranger = await scene.machine(), await scene.machine(OTHER, outside=False)
        named = Named("id1", "local", one.ipv6, started=True, metadata={})
        resolver = Resolver(scene.network, _OneApp(named))
        await resolver.open()

        async def asks(who: Place, *arguments: str) -> str:
            return await asyncio.to_thread(who.run, sys.executable, "-c", _LOOK_UP, *arguments)

        try:
            for server in scene.network.services:
                assert await asks(one, server, "web.internal", "AAAA") == one.ipv6
                assert await asks(one, server, "web.internal", "AAAA", "tcp") == one.ipv6
            assert await asks(one, "fdaa::3", "_api.internal", "AAAA") == "fdaa::3"
            assert await asks(one, "fdaa::3", "web.flycast", "AAAA") == "fdaa::3"
            assert await asks(stranger, "fdaa::3", "web.internal", "AAAA") == "NXDOMAIN"
            assert await asks(stranger, "fdaa::3", "web.flycast", "AAAA") == "NXDOMAIN"
            assert await asks(stranger, "fdaa::3", "example.org", "A") == "NoNameservers"
        finally:
            await resolver.close()

    play(act)
