"""The cable of one machine, laid by its monitor.

```
   router namespace                          namespace of the machine
  bridge ─── m1f… ════════ veth pair ════════ eth0
```

The monitor lives in the router's network namespace. Ahead of need, in the spare, it makes the
pair (`make_pair`); when it is told which machine it is, it plugs it in (`plug`), which is two
sends. Nothing is ever unplugged: removing a link takes 15 ms, and both ends go by themselves
with the namespace of the machine.

Standard library only: this is loaded by the monitor of every machine.
"""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

from ephemera.platform.network import netlink

#: What the machine calls its end.
_INSIDE = "eth0"
#: The number of `lo` in every namespace.
_LOOPBACK = 1


class Pair(NamedTuple):
    """A cable that is not plugged in."""

    #: The router's end, by its name there.
    port: str
    #: The machine's end, by its number there.
    eth0: int


def make_pair(router: socket.socket, inside: socket.socket, name: str, namespace: int) -> Pair:
    """Lay a cable from the router to a machine.

    Args:
        router, inside: Netlink sockets of the router's namespace and of the machine's.
        name: What the router calls its end; at most 15 bytes, no other link there has it.
        namespace: An open file of the machine's network namespace.

    Raises:
        OSError: it cannot be made; the message says what was being done.
    """
    peer = (netlink.text(netlink.NAME, _INSIDE), netlink.number(netlink.IN_NAMESPACE, namespace))
    netlink.ask(router, netlink.pair(name, peer=peer))
    return Pair(name, netlink.index(inside, _INSIDE))


def set_up_alone(inside: socket.socket) -> None:
    """Have a machine talk to itself, which one in no network can do, too.

    Raises:
        OSError: it was refused.
    """
    netlink.ask(inside, netlink.change(_LOOPBACK))


def plug(router: socket.socket, inside: socket.socket, pair: Pair, message: dict[str, Any]) -> None:
    """Connect a machine with its network and with itself: everything works when this returns.

    Args:
        message: `router.Plug.to_message()`. Where it has no `ipv6`, the machine has IPv4 only.

    Raises:
        OSError: it was refused; the message says what was being done.
    """
    master = netlink.number(netlink.MASTER, message["bridge_index"])
    netlink.ask(router, netlink.change(pair.port, master))
    netlink.ask(inside, *_setup(pair.eth0, message))


def _setup(eth0: int, message: dict[str, Any]) -> list[netlink.Request]:
    mtu = netlink.number(netlink.MTU, message["mtu"])
    wanted = [netlink.change(_LOOPBACK), netlink.change(eth0, netlink.mac(message["mac"]), mtu)]
    if message["ipv6"]:
        wanted.append(netlink.assign(eth0, message["ipv6"]))
        wanted.append(netlink.lead(message["private"], eth0, message["gateway6"]))
    wanted.append(netlink.assign(eth0, message["ipv4"]))
    wanted.append(netlink.lead("0.0.0.0/0", eth0, message["gateway4"]))
    return wanted
