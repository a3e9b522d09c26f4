"""Runs and times programs in namespaces of its own: `unshare ... python -m benchmarks.sandbox`.

What is compared with starts as a child of this small process, which does nothing else, so that
nothing but the program is timed. It reads a line of JSON for each thing to do, and answers with
one. The network namespace has a bridge and no way out; mounts, `/run` and processes are its own,
and end with it. Linux, as root.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ephemera.platform.drivers.container import syscalls
from ephemera.platform.network import namespaces, netlink

#: A lane has one machine at a time. The descriptor of its network is always the same, so that the
#: config of a container can name it.
_FIRST_DESCRIPTOR = 200
LANES = 4
#: What programs read. Not `/dev/null`, which crun gives to the machine's root.
_NOTHING = "/run/nothing"
_BRIDGE, _GATEWAY = "bench0", "10.213.0.1"


def network_of(lane: int) -> str:
    """Return the path of the network namespace of a lane, as programs in here know it."""
    return f"/proc/1/fd/{_FIRST_DESCRIPTOR + lane}"


def main() -> None:
    """Get ready, and do what is asked until nobody asks any more."""
    _prepare_mounts()
    home, bridge = namespaces.own(), _make_bridge()
    lanes = [Lane(number, home, bridge) for number in range(LANES)]
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line), lanes)), flush=True)


def _answer(asked: list[object], lanes: Sequence[Lane]) -> object:
    """Do one thing: start a program for good, time one, or time many in several lanes."""
    match asked:
        case ["start", list(command), str(log)]:
            return _spawn(command, log)
        case ["time", list(command)]:
            return _timed(command)
        case ["time in network", list(command)]:
            return lanes[0].timed(command)
        case ["rate", list(commands), int(count)]:
            return _together(lanes, commands, count)
    raise ValueError(f"nobody knows how to {asked!r}")


def _prepare_mounts() -> None:
    """Have a `/run` of our own, and hide what makes crun 1.8 refuse this computer.

    It does not take an empty cgroup2 beside the controllers of version 1.
    """
    syscalls.mount("run", "/run", "tmpfs", 0, "mode=755")
    Path(_NOTHING).touch()
    unified = Path("/sys/fs/cgroup/unified")
    if unified.is_mount():
        syscalls.unmount(str(unified))


def _make_bridge() -> int:
    with netlink.connect() as sock:
        netlink.ask(sock, netlink.change("lo"), netlink.bridge(_BRIDGE))
        index = socket.if_nametoindex(_BRIDGE)
        netlink.ask(sock, netlink.change(index), netlink.assign(index, f"{_GATEWAY}/16"))
    return index


class Lane:
    """Where one container at a time runs, in a network of its own that is on the bridge."""

    def __init__(self, number: int, home: int, bridge: int) -> None:
        self._number = number
        self._home = home
        self._bridge = bridge
        self._runs = 0

    def timed(self, command: list[str]) -> float:
        """Return how long it takes to make a network and to run a program in it; seconds."""
        begun = time.perf_counter()
        self._connect()
        _run(command)
        return time.perf_counter() - begun

    def _connect(self) -> None:
        """Make the network, as little as it takes: two raw messages to the kernel, no program."""
        self._runs += 1
        syscalls.unshare(syscalls.CLONE_NEWNET)
        with netlink.connect() as inside:
            namespace = namespaces.own()
            namespaces.enter(self._home)
            os.dup2(namespace, _FIRST_DESCRIPTOR + self._number)
            os.close(namespace)
            self._plug(inside)

    def _plug(self, inside: socket.socket) -> None:
        peer = (
            netlink.text(netlink.NAME, "eth0"),
            netlink.number(netlink.IN_NAMESPACE, _FIRST_DESCRIPTOR + self._number),
        )
        name = f"v{self._number}x{self._runs}"
        on_bridge = netlink.number(netlink.MASTER, self._bridge)
        with netlink.connect() as outside:
            netlink.ask(outside, netlink.pair(name, on_bridge, peer=peer), netlink.change(name))
        eth0 = netlink.named(inside)["eth0"].index
        address = f"10.213.{1 + self._number}.{2 + self._runs % 250}/16"
        netlink.ask(
            inside,
            netlink.change("lo"),
            netlink.change(eth0),
            netlink.assign(eth0, address),
            netlink.lead("0.0.0.0/0", eth0, _GATEWAY),
        )


def _together(lanes: Sequence[Lane], commands: list[list[str]], count: int) -> float:
    """Return how long it takes to run each command `count` times, each in its lane; seconds."""

    def work(lane: Lane, command: list[str]) -> None:
        for _ in range(count):
            lane.timed(command)

    with ThreadPoolExecutor(len(commands)) as pool:
        begun = time.perf_counter()
        list(pool.map(work, lanes, commands))
        return time.perf_counter() - begun


def _timed(command: list[str]) -> float:
    begun = time.perf_counter()
    _run(command)
    return time.perf_counter() - begun


def _run(command: list[str]) -> None:
    _, status = os.waitpid(_spawn(command, ""), 0)
    if status:
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")


def _spawn(command: list[str], log: str) -> int:
    """Start a program whose output goes to a file, or to our own stderr."""
    actions: list[tuple[object, ...]] = [(os.POSIX_SPAWN_OPEN, 0, _NOTHING, os.O_RDONLY, 0)]
    if log:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        actions.append((os.POSIX_SPAWN_OPEN, 2, log, flags, 0o600))
    actions.append((os.POSIX_SPAWN_DUP2, 2, 1))
    return os.posix_spawn(command[0], command, os.environ, file_actions=actions)


if __name__ == "__main__":
    main()
