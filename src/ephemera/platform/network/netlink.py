"""Links, addresses and routes, asked of the kernel in its own words (rtnetlink).

A netlink socket stays in the network namespace in which it was made, so whoever holds one works
in that namespace from anywhere. Several messages go in one `send`, which is what makes plugging
a machine in cheap. Standard library only: this is loaded by the monitor of every machine.

Source: rtnetlink(7), and the kernel's `include/uapi/linux/{rtnetlink,if_link,if_addr,veth}.h`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

NEWLINK, DELLINK, GETLINK = 16, 17, 18
NEWADDR, GETADDR = 20, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26

_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
#: What was told is not of one moment.
_INTERRUPTED = 0x10
#: Make it, and fail where it is there already.
CREATE = 0x400 | 0x200
#: Make it, or change the one that is there.
REPLACE = 0x400 | 0x100

_ERROR, _DONE = 2, 3
_ORDER: Final = sys.byteorder
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")
#: An answer is never larger: the kernel fills a buffer of this size at most.
_ANSWER_BYTES = 64 * 1024

# attributes of links
_MAC, NAME, MTU, PEER_INDEX, MASTER, _KIND, ALIAS = 1, 3, 4, 5, 10, 18, 20
IN_NAMESPACE = 28
_SENDING_QUEUES, _RECEIVING_QUEUES = 31, 32
_KIND_NAME, _KIND_DATA, _VETH_PEER, _BRIDGE_SNOOPS = 1, 2, 1, 23
# attributes of addresses
ADDRESS, _LOCAL = 1, 2
# attributes of routes
TO, OUT_OF, _VIA = 1, 4, 5

#: What a socket of any kind can be asked about a link, see netdevice(7).
_SIOCGIFINDEX, _IFREQ = 0x8933, struct.Struct("=16si20x")
_IPV6_BYTES = 16
_UP = 1
#: Used at once: nobody else can have the address, so nobody is asked (IPv6).
_NO_DAD = 0x02
_MAIN_TABLE, _STATIC, _UNICAST = 254, 4, 1


class Request(NamedTuple):
    """One thing that is asked of the kernel."""

    kind: int
    flags: int
    body: bytes
    #: What it does, for messages.
    doing: str


class Answer:
    """One thing that the kernel told: a link, an address or a route."""

    __slots__ = ("attributes", "fixed")

    def __init__(self, fixed: tuple[int, ...], attributes: dict[int, bytes]) -> None:
        #: What every one of its kind has, see the structures above.
        self.fixed = fixed
        self.attributes = attributes

    @property
    def index(self) -> int:
        """Return the number of a link."""
        return self.fixed[2]

    def number(self, attribute: int) -> int:
        """Return an attribute that is a number; 0 where it is not there."""
        return int.from_bytes(self.attributes.get(attribute, b""), _ORDER)

    def text(self, attribute: int) -> str:
        """Return an attribute that is text; empty where it is not there."""
        return self.attributes.get(attribute, b"").rstrip(b"\0").decode(errors="replace")


def connect() -> socket.socket:
    """Return a netlink socket of the network namespace that the calling thread is in."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)


def ask(sock: socket.socket, *requests: Request) -> None:
    """Have requests carried out, in their order, all of them in any case.

    Raises:
        OSError: one was refused; the message says which.
    """
    last = len(requests) - 1
    sock.send(
        b"".join(
            # whatever is refused is answered; that all is done, the answer to the last one tells
            _packed(request, request.flags | (_ACK if number == last else 0), number)
            for number, request in enumerate(requests)
        )
    )
    failed: dict[int, int] = {}
    while last not in failed:
        for kind, _, number, body in _messages(sock.recv(_ANSWER_BYTES)):
            if kind == _ERROR:
                failed[number] = _code(body)
    for number, code in sorted(failed.items()):
        if code:
            raise OSError(code, f"{requests[number].doing}: {os.strerror(code)}")


def tell(sock: socket.socket, kind: int) -> list[Answer]:
    """Return all links, addresses or routes: `kind` is `GETLINK`, `GETADDR` or `GETROUTE`.

    Where some came or went while the kernel told them, others may be missing: it is asked again.
    """
    while True:
        told, is_whole = _told(sock, kind)
        if is_whole:
            return told


def _told(sock: socket.socket, kind: int) -> tuple[list[Answer], bool]:
    fixed = {GETLINK: _LINK, GETADDR: _ADDRESS, GETROUTE: _ROUTE}[kind]
    sock.send(_packed(Request(kind, _DUMP, bytes(fixed.size), ""), _DUMP, 0))
    found: list[Answer] = []
    is_whole = True
    while True:
        for said, flags, _, body in _messages(sock.recv(_ANSWER_BYTES)):
            is_whole = is_whole and not flags & _INTERRUPTED
            if said == _DONE:
                return found, is_whole
            if said == _ERROR:
                raise _refused(body, "reading the network")
            found.append(_answer(fixed, body))


def find(sock: socket.socket, name: str) -> Answer:
    """Return a link by its name.

    Raises:
        OSError: there is none.
    """
    wanted = Request(GETLINK, 0, _LINK.pack(0, 0, 0, 0, 0) + text(NAME, name), "")
    sock.send(_packed(wanted, 0, 0))
    [(said, _, _, body)] = _messages(sock.recv(_ANSWER_BYTES))
    if said == _ERROR:
        raise _refused(body, f"finding link {name}")
    return _answer(_LINK, body)


def index(sock: socket.socket, name: str) -> int:
    """Return the number of a link by its name, without all the rest that `find` is told.

    Raises:
        OSError: there is none.
    """
    try:
        return int(
            _IFREQ.unpack(fcntl.ioctl(sock, _SIOCGIFINDEX, _IFREQ.pack(name.encode(), 0)))[1]
        )
    except OSError as error:
        raise OSError(error.errno, f"finding link {name}: {error.strerror}") from error


def named(sock: socket.socket) -> dict[str, Answer]:
    """Return all links by their names."""
    return {one.text(NAME): one for one in tell(sock, GETLINK)}


def pair(name: str, *attributes: bytes, peer: Sequence[bytes]) -> Request:
    """Make a pair of links, each the other end of a cable.

    Args:
        attributes: Those of this end.
        peer: Those of the other one, among them where it is to be.
    """
    other = attribute(_VETH_PEER, _LINK.pack(0, 0, 0, 0, 0) + b"".join((*_ONE_QUEUE, *peer)))
    return _made("veth", name, other, *_ONE_QUEUE, *attributes)


def bridge(name: str, *attributes: bytes) -> Request:
    """Make a bridge. It floods what is for many, instead of learning who wants to hear it."""
    return _made("bridge", name, attribute(_BRIDGE_SNOOPS, b"\0"), *attributes)


def change(link: int | str, *attributes: bytes, up: bool = True) -> Request:
    """Change a link, known by its number or its name, and let it work."""
    index, named = (0, [text(NAME, link)]) if isinstance(link, str) else (link, [])
    body = _LINK.pack(0, 0, index, _UP if up else 0, _UP if up else 0)
    return Request(NEWLINK, 0, body + b"".join((*named, *attributes)), f"setting up {link}")


def remove(index: int) -> Request:
    """Remove a link, and the other end of it. Slow: 15 ms and more."""
    return Request(DELLINK, 0, _LINK.pack(0, 0, index, 0, 0), f"removing link {index}")


def assign(index: int, address: str) -> Request:
    """Give a link an address, such as `100.64.16.2/20`. Repeating is safe."""
    value, _, length = address.partition("/")
    packed = _address(value)
    body = _ADDRESS.pack(_family(packed), int(length), _NO_DAD, 0, index)
    body += attribute(_LOCAL, packed) + attribute(ADDRESS, packed)
    return Request(NEWADDR, REPLACE, body, f"giving a link the address {address}")


def lead(network: str, index: int, via: str) -> Request:
    """Lead what is for a network, such as `0.0.0.0/0`, through a link to a gateway."""
    body = _route(network, index) + attribute(_VIA, _address(via))
    return Request(NEWROUTE, REPLACE, body, f"leading to {network}")


def lead_no_more(network: str, index: int) -> Request:
    """Take such a route away."""
    return Request(DELROUTE, 0, _route(network, index), f"leading to {network} no more")


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute, padded as they are."""
    size = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(size, kind) + value + bytes(-size % 4)


def mac(value: str) -> bytes:
    """Return the attribute that is a link's hardware address, such as `02:00:00:00:00:01`."""
    return attribute(_MAC, bytes.fromhex(value.replace(":", "")))


def number(kind: int, value: int) -> bytes:
    """Return an attribute that is a number."""
    return attribute(kind, struct.pack("=I", value))


def text(kind: int, value: str) -> bytes:
    """Return an attribute that is text."""
    return attribute(kind, value.encode() + b"\0")


#: A machine has no use for a queue for each cpu, and each takes memory.
_ONE_QUEUE = (number(_SENDING_QUEUES, 1), number(_RECEIVING_QUEUES, 1))


def _made(kind: str, name: str, data: bytes, *attributes: bytes) -> Request:
    described = text(_KIND_NAME, kind) + attribute(_KIND_DATA, data)
    body = _LINK.pack(0, 0, 0, 0, 0) + text(NAME, name) + attribute(_KIND, described)
    return Request(NEWLINK, CREATE, body + b"".join(attributes), f"making {name}")


def _answer(fixed: struct.Struct, body: bytes) -> Answer:
    return Answer(fixed.unpack_from(body), dict(_attributes(body[fixed.size :])))


def _code(body: bytes) -> int:
    """Return the error that an answer tells; 0 where all is well."""
    return -int.from_bytes(body[:4], _ORDER, signed=True)


def _refused(body: bytes, doing: str) -> OSError:
    return OSError(_code(body), f"{doing}: {os.strerror(_code(body))}")


def _address(value: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in value else socket.AF_INET, value)


def _route(network: str, index: int) -> bytes:
    value, _, length = network.partition("/")
    packed = _address(value)
    bits, everywhere = int(length), 0
    body = _ROUTE.pack(_family(packed), bits, 0, 0, _MAIN_TABLE, _STATIC, everywhere, _UNICAST, 0)
    return body + (attribute(TO, packed) if bits else b"") + number(OUT_OF, index)


def _family(packed: bytes) -> int:
    return socket.AF_INET6 if len(packed) == _IPV6_BYTES else socket.AF_INET


def _packed(request: Request, flags: int, sequence: int) -> bytes:
    size = _HEADER.size + len(request.body)
    header = _HEADER.pack(size, request.kind, flags | _REQUEST, sequence, 0)
    return header + request.body + bytes(-size % 4)


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield kind, flags, number and body of each message of an answer."""
    while data:
        size, kind, flags, sequence, _ = _HEADER.unpack_from(data)
        yield kind, flags, sequence, data[_HEADER.size : size]
        data = data[size + -size % 4 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : size]
        data = data[size + -size % 4 :]


def exists(error: OSError) -> bool:
    """Whether a request was refused since what it would make is there."""
    return error.errno == errno.EEXIST
