"""What may pass: the nft rules of the router, and those of the host.

In the router everything is refused but what is named here. Who a machine is can be told from its
address: what comes from a bridge is dropped unless its source is of that bridge's network (the
`fib` rule). Within one network a machine could take another's address; its machines trust each
other.

Where clouds keep the credentials of a computer, for whoever asks from it, no machine gets.

A closed network reaches what the platform has (resolver, API, proxy) and, on this computer, the
ports that the kernel gives to those who ask for any (the host's `ip_local_port_range`): a
supervisor listens on one of them for reports.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

#: The router's end of the way out.
UPLINK = "uplink"
DNS_PORT, API_PORT, PROXY_PORT = 53, 4280, 80
#: Where clouds keep the credentials of a computer: all of what is of a link only, which nobody
#: forwards anyway (RFC 3927, section 7), and the two that lie elsewhere, Alibaba's and Azure's.
_CREDENTIALS = "169.254.0.0/16, 100.100.100.200, 168.63.129.16"

_ROUTER = """\
table inet ephemera {{}}
delete table inet ephemera
table inet ephemera {{
  set closed {{ type ifname; {closed} }}
  chain prerouting {{
    type filter hook prerouting priority raw; policy accept;
    iifname "n*" fib saddr . iif oif missing drop
  }}
  chain input {{
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state established,related accept
    meta l4proto {{ icmp, ipv6-icmp }} accept
    iifname "n*" meta l4proto {{ tcp, udp }} th dport {dns} accept
    iifname "n*" tcp dport {{ {api}, {proxy} }} accept
    iifname "n*" reject with icmpx type admin-prohibited
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    iifname @closed oifname "{uplink}" jump closed
    iifname "n*" ip daddr {{ {credentials} }} reject with icmpx type admin-prohibited
    ct state established,related accept
    iifname "n*" oifname "{uplink}" accept
    iifname "n*" oifname "n*" fib daddr . iif oif exists accept
    {from_host}
    iifname "n*" reject with icmpx type admin-prohibited
  }}
  chain closed {{
    ct direction reply ct state established,related accept
    {to_host}
    reject with icmpx type admin-prohibited
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname "{uplink}" meta nfproto ipv4 masquerade
  }}
}}
"""

#: What a machine says to all of its network when it comes up, and no machine wants to hear: which
#: multicast groups it is in, whether there is a router of IPv6, and whether somebody has its
#: address, which nobody has. A bridge would copy each of seven packets to each of its machines.
_BRIDGES = """\
table bridge ephemera {}
delete table bridge ephemera
table bridge ephemera {
  chain prerouting {
    type filter hook prerouting priority filter; policy accept;
    ip6 saddr :: drop
    icmpv6 type { mld-listener-report, mld2-listener-report, mld-listener-done } drop
    icmpv6 type nd-router-solicit drop
  }
}
"""

_HOST = """\
table ip {table} {{}}
delete table ip {table}
table ip {table} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {router} oifname != "{uplink}" masquerade
  }}
}}
"""


class Host(NamedTuple):
    """This computer, as the router sees it."""

    address4: IPv4Address
    #: None where one of both has no IPv6.
    address6: IPv6Address | None
    #: The ports that the kernel chooses from, such as `32768-60999`.
    any_ports: str


def of_router(closed: Iterable[str], host: Host) -> str:
    """Return all rules of the router, which replace those that are there.

    Args:
        closed: The bridges of the networks that may not reach the world outside.
    """
    addresses = [f"ip {{}} {host.address4}"]
    if host.address6:
        addresses.append(f"ip6 {{}} {host.address6}")
    to_host = (f"{one.format('daddr')} tcp dport {host.any_ports} accept" for one in addresses)
    from_host = (f'iifname "{UPLINK}" {one.format("saddr")} accept' for one in addresses)
    return _ROUTER.format(
        closed=_elements("elements = ", closed),
        dns=DNS_PORT,
        api=API_PORT,
        proxy=PROXY_PORT,
        uplink=UPLINK,
        credentials=_CREDENTIALS,
        from_host="\n    ".join(from_host),
        to_host="\n    ".join(to_host),
    )


def of_closed(closed: Iterable[str]) -> str:
    """Return what changes which networks are closed, and nothing else."""
    added = _elements("add element inet ephemera closed ", closed)
    return f"flush set inet ephemera closed\n{added}\n"


def of_host(table: str, uplink: str, router: IPv4Address) -> str:
    """Return the rules of the host: what comes from the router leaves as if the host sent it."""
    return _HOST.format(table=table, uplink=uplink, router=router)


def without(table: str) -> str:
    """Return what removes the rules of the host, where there are any."""
    return f"table ip {table} {{}}\ndelete table ip {table}\n"


def apply(rules: str) -> None:
    """Have rules hold, all of them or none, in the network namespace of the calling thread.

    Raises:
        OSError: there is no `nft`, or it refused; the message says why.
    """
    done = subprocess.run(
        ["nft", "-f", "-"],  # noqa: S607 - where it is differs from system to system
        input=rules,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise OSError(f"nft refused the rules of the network: {done.stderr.strip()}")


def apply_quietly(rules: str) -> str:
    """Have rules hold in a router, whose bridges leave out what nobody wants to hear.

    Returns:
        Why the bridges cannot, which costs time only; empty where they do.

    Raises:
        OSError: as of `apply`.
    """
    try:
        apply(rules + _BRIDGES)
    except OSError as error:
        apply(rules)
        why = str(error).partition("\n")[0]  # it shows the rules below that
        return f"hundreds of machines of one network take longer to start: {why}"
    return ""


def _elements(before: str, names: Iterable[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"{before}{{ {listed} }}" if listed else ""
