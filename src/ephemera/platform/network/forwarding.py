"""What this computer has to allow, for machines to reach the world outside.

It must forward packets at all (`ip_forward`), have a rule that what comes from the router leaves
as if the computer had sent it, and where its firewall forwards nothing by itself (Docker sees to
that) two rules of iptables for the cable. These are the host's and do not go with the router: they
are made when the first network is that may reach the world, and taken away when the server stops
and no machine runs. Where a server was killed and all machines ended before the next one came,
they stay until then, and match nothing.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

from ephemera.platform.network import rules

_SWITCH = Path("/proc/sys/net/ipv4/ip_forward")


class Forwarding:
    """What the host allows for one platform. In the network namespace of the host.

    Args:
        uplink: The host's end of the cable.
    """

    def __init__(self, uplink: str) -> None:
        self._uplink = uplink
        self._table = f"ephemera_{uplink}"
        self._allowed = False
        #: Why machines cannot reach the world, where they cannot.
        self.problem = ""

    def allow(self, router: IPv4Address) -> None:
        """Pass on what comes from the router. Repeating is safe, and costs nothing.

        Where the host cannot, `problem` says why.
        """
        if self._allowed:
            return
        self._allowed = True
        self.problem = ""
        try:
            if _SWITCH.read_text().strip() != "1":
                _SWITCH.write_text("1")
            rules.apply(rules.of_host(self._table, self._uplink, router))
            self._except()
        except OSError as error:
            self.problem = f"machines cannot reach the world outside: {error}"

    def again(self) -> None:
        """Do not rely on what was allowed before."""
        self._allowed = False

    def forget(self) -> None:
        """Take away what was allowed, also by another server. Repeating is safe.

        Raises:
            OSError: it cannot be taken away.
        """
        self.again()
        rules.apply(rules.without(self._table))
        if shutil.which("iptables"):
            for rule in self._exceptions():
                if _iptables("-C", "FORWARD", *rule).returncode == 0:
                    _iptables("-D", "FORWARD", *rule)

    def _except(self) -> None:
        """Let the cable's packets through a firewall that lets nothing through."""
        if not shutil.which("iptables") or "-P FORWARD DROP" not in _iptables("-S").stdout:
            return
        for rule in self._exceptions():
            if _iptables("-C", "FORWARD", *rule).returncode:
                done = _iptables("-I", "FORWARD", *rule)
                if done.returncode:
                    raise OSError(f"iptables refused a rule: {done.stderr.strip()}")

    def _exceptions(self) -> Iterator[list[str]]:
        replies = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
        yield ["-i", self._uplink, "-j", "ACCEPT"]
        yield ["-o", self._uplink, *replies, "-j", "ACCEPT"]


def _iptables(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["iptables", "-w", *arguments],  # noqa: S607 - where it is differs from system to system
        capture_output=True,
        text=True,
        check=False,
    )
