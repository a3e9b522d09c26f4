"""What each process of a boot is, uses, and listens on, from `/proc`. Linux only.

The environment of a process is nobody's business and never read here. Standard library only.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Iterable
from typing import Any

from ephemera.platform.drivers.monitoring import kernel
from ephemera.platform.drivers.monitoring.kernel import Process

#: A longer command line is cut.
_COMMAND_CHARS_MAX = 4096
_TICKS = os.sysconf("SC_CLK_TCK") if sys.platform == "linux" else 100
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: In `/proc/net`: the state of a socket that takes connections, or datagrams from anybody.
_LISTENS = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}


def now() -> int:
    """Return the time as the starts of processes are told: clock ticks since the computer did."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS)


def listing(processes: Iterable[Process], network: str = "/proc/self/net") -> list[dict[str, Any]]:
    """Return what `ps` shows of these processes, without those that are gone by now.

    Args:
        network: Where the kernel tells of the network that they are in.
    """
    sockets = _listening(network)
    found = (_stat(one, sockets) for one in processes)
    return [one for one in found if one is not None]


def _stat(one: Process, sockets: dict[str, dict[str, str]]) -> dict[str, Any] | None:
    try:
        with open(f"/proc/{one.pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        used_s = (int(fields[11]) + int(fields[12])) / _TICKS
        lived_s = max(0, now() - one.start) / _TICKS
        return {
            "pid": one.pid,
            "command": _command(one.pid),
            "directory": os.readlink(f"/proc/{one.pid}/cwd"),
            "cpu": round(100 * used_s / lived_s) if lived_s else 0,
            "rss": int(fields[21]) * _PAGE_BYTES,
            "rtime": int(lived_s),
            "stime": int(used_s),
            "listen_sockets": _sockets_of(one.pid, sockets),
        }
    except OSError:  # it is gone, or became another user's
        return None


def _command(pid: int) -> str:
    words = kernel.told(pid, "cmdline").rstrip(b"\0").replace(b"\0", b" ")
    return words.decode(errors="replace")[:_COMMAND_CHARS_MAX]


def _sockets_of(pid: int, sockets: dict[str, dict[str, str]]) -> list[dict[str, str]]:
    """Return the listening sockets that a process has open, each once."""
    if not sockets:
        return []
    folder = f"/proc/{pid}/fd"
    held = set()
    for name in os.listdir(folder):
        try:
            held.add(os.readlink(f"{folder}/{name}"))
        except FileNotFoundError:
            continue  # it was closed meanwhile
    return [told for link, told in sockets.items() if link in held]


def _listening(network: str) -> dict[str, dict[str, str]]:
    """Return the sockets of a network that listen, by the name that descriptors show."""
    found = {}
    for proto, listens in _LISTENS.items():
        try:
            with open(f"{network}/{proto}") as file:
                rows = [line.split() for line in file][1:]
        except (FileNotFoundError, ProcessLookupError):  # a computer without IPv6
            continue
        for row in rows:
            if row[3] == listens:
                found[f"socket:[{row[9]}]"] = {"proto": proto, "address": _address(row[1])}
    return found


def _address(text: str) -> str:
    """Return `127.0.0.1:80` for `0100007F:0050`, as the kernel prints words of its own order."""
    host, _, port = text.partition(":")
    words = [int(host[at : at + 8], 16) for at in range(0, len(host), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    if len(words) == 1:
        return f"{socket.inet_ntop(socket.AF_INET, packed)}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, packed)}]:{int(port, 16)}"
