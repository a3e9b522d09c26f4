"""A computer, machines and an internet for tests of the network, made of network namespaces.

The test's own thread enters a fresh network namespace, which is "this computer" until the test
is over: threads and programs that it starts are in it too, and the real computer is not touched.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ephemera.platform.network import namespaces, netlink, wiring
from ephemera.platform.network.router import Network, Plug

#: Answers what it is asked, with the address it was asked from: `echo ADDRESS PORT`.
_ECHO = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((sys.argv[1], int(sys.argv[2])), family=family) as server:
    print("ready", flush=True)
    while True:
        other, address = server.accept()
        with other:
            other.sendall(address[0].encode())
"""
#: Prints what it hears, or why it hears nothing: `ask ADDRESS PORT`.
_ASK = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as s:
        print(s.recv(100).decode())
except OSError as error:
    print("refused:", error)
"""


@contextmanager
def computer() -> Iterator[int]:
    """Be in a computer of the test's own, and yield an open file of its network namespace."""
    real, made = namespaces.own(), namespaces.fresh()
    try:
        namespaces.enter(made)
        with netlink.connect() as sock:
            netlink.ask(sock, netlink.change(1))
        yield made
    finally:
        namespaces.enter(real)
        os.close(real)
        os.close(made)


@dataclass
class Place:
    """A network namespace that lives as long as the test, and programs in it."""

    namespace: int
    stack: ExitStack

    def run(self, *command: str) -> str:
        """Return what a program prints that runs there, as one word where it is one."""
        return namespaces.inside(self.namespace, lambda: _run(*command))

    def ask(self, address: str, port: int, timeout: float = 30.0) -> str:
        """Return what the server at an address answers, or `refused: ...`."""
        return self.run(sys.executable, "-c", _ASK, address, str(port), str(timeout))

    def serve(self, address: str, port: int) -> None:
        """Have a server there that answers with the address it is asked from."""
        command = [sys.executable, "-c", _ECHO, address, str(port)]
        server = namespaces.inside(
            self.namespace, lambda: subprocess.Popen(command, stdout=subprocess.PIPE)
        )
        self.stack.callback(_end, server)
        assert server.stdout
        assert server.stdout.readline() == b"ready\n"

    def hold(self) -> subprocess.Popen[bytes]:
        """Return a process that lives there, as monitors do in the router."""
        holder = namespaces.inside(
            self.namespace, lambda: subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        )
        self.stack.callback(_end, holder)
        return holder


class Machine(Place):
    """A machine: a network namespace with a cable to the router."""

    def __init__(self, network: Network, plug: Plug, name: str, stack: ExitStack) -> None:
        super().__init__(namespaces.fresh(), stack)
        stack.callback(os.close, self.namespace)
        self.plug = plug
        self.ipv6 = plug.ipv6.partition("/")[0]
        self.ipv4 = plug.ipv4.partition("/")[0]
        namespaces.inside(network.router_fd(), lambda: self._connect(network, name))

    def _connect(self, network: Network, name: str) -> None:
        """Do what a monitor does, in a thread that is in the router as a monitor is."""
        router = netlink.connect()
        inside = namespaces.connect_in(self.namespace, network.router_fd())
        with router, inside:
            pair = wiring.make_pair(router, inside, name, self.namespace)
            wiring.plug(router, inside, pair, self.plug.to_message())


def internet(host: int, stack: ExitStack) -> Place:
    """Return an internet that is reached from a host: it has the address 192.0.2.1."""
    made = Place(namespaces.fresh(), stack)
    stack.callback(os.close, made.namespace)
    with netlink.connect() as sock, namespaces.inside(made.namespace, netlink.connect) as other:
        peer = (
            netlink.text(netlink.NAME, "world"),
            netlink.number(netlink.IN_NAMESPACE, made.namespace),
        )
        netlink.ask(sock, netlink.pair("eth0", peer=peer))
        index = netlink.named(sock)["eth0"].index
        netlink.ask(sock, netlink.change(index), netlink.assign(index, "192.0.2.2/24"))
        world = netlink.named(other)["world"].index
        netlink.ask(other, netlink.change(world), netlink.assign(world, "192.0.2.1/24"))
        netlink.ask(sock, netlink.lead("0.0.0.0/0", index, "192.0.2.1"))
    return made


def links_here() -> set[str]:
    """Return the names of the links of the computer."""
    with netlink.connect() as sock:
        return set(netlink.named(sock))


def home_in(folder: Path, name: str) -> Path:
    """Return a state folder."""
    home = folder / name
    home.mkdir()
    return home


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
