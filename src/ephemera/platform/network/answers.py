"""DNS messages: which of them are ours to answer, and the answer. Bytes in, bytes out.

The only module that imports the DNS library, which takes 50 ms: whoever needs it imports it late.
"""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.message import Message

from ephemera.platform.network.names import DOMAIN, PROXY_DOMAIN, Meaning, Names

#: How long an answer may be remembered; seconds. Machines come and go.
TTL_S = 5
#: What a datagram may have that is sure to arrive in one piece (dnsflagday.net/2020).
UDP_BYTES_MAX = 1232
_UDP_BYTES_PLAIN = 512
TCP_BYTES_MAX = 65535
#: A string of a TXT record is not longer.
_TEXT_BYTES_MAX = 255
#: Domains that nobody else has an answer for: ours, and the names of private addresses.
_OURS = (DOMAIN, PROXY_DOMAIN, "a.a.d.f.ip6.arpa")


class Asked:
    """A question that can be answered.

    Args:
        message: As it was read.
        room: How long the answer may be; bytes.
    """

    def __init__(self, message: Message, room: int) -> None:
        self._message = message
        self._room = room
        self._question = message.question[0]
        self.name = self._question.name.to_text(omit_final_dot=True).lower()

    @property
    def is_ours(self) -> bool:
        """Whether nobody but us knows an answer."""
        return any(self.name == one or self.name.endswith(f".{one}") for one in _OURS)

    def answer(self, names: Names, network: str) -> bytes:
        """Return our answer to somebody in a network."""
        meaning = None
        if self.name.rpartition(".")[2] in (DOMAIN, PROXY_DOMAIN):
            meaning = names.look_up(network, self.name)
        if meaning is None:
            return self.refuse(dns.rcode.NXDOMAIN)
        response = self._response()
        records = list(_records(meaning, self._question.rdtype))
        if records:
            found = dns.rrset.from_text_list(
                self._question.name, TTL_S, dns.rdataclass.IN, self._question.rdtype, records
            )
            response.answer.append(found)
        return response.to_wire(max_size=self._room, prefer_truncation=True)

    def refuse(self, code: dns.rcode.Rcode) -> bytes:
        """Return an answer that only says why there is none."""
        response = self._response()
        response.set_rcode(code)
        return response.to_wire()

    def closed(self) -> bytes:
        """Return what somebody hears who may not reach the world outside."""
        return self.refuse(dns.rcode.REFUSED)

    def failed(self) -> bytes:
        """Return what somebody hears where those who know do not answer."""
        return self.refuse(dns.rcode.SERVFAIL)

    def _response(self) -> Message:
        response = dns.message.make_response(self._message, recursion_available=True)
        if self.is_ours:
            response.flags |= dns.flags.AA
        return response


def read(data: bytes, *, tcp: bool = False) -> Asked | bytes | None:
    """Return what somebody asks, or what he is told at once; None for what is no question.

    Args:
        tcp: Whether it came over TCP, and the answer may be long.
    """
    try:
        message = dns.message.from_wire(data)
    except (dns.exception.DNSException, ValueError):
        return None
    if message.flags & dns.flags.QR:
        return None
    if message.opcode() is not dns.opcode.QUERY:
        return _told(message, dns.rcode.NOTIMP)
    if len(message.question) != 1:
        return _told(message, dns.rcode.FORMERR)
    if message.question[0].rdclass is not dns.rdataclass.IN:
        return _told(message, dns.rcode.REFUSED)
    return Asked(message, TCP_BYTES_MAX if tcp else _room(message))


def _room(message: Message) -> int:
    wanted = message.payload if message.edns >= 0 else _UDP_BYTES_PLAIN
    return max(_UDP_BYTES_PLAIN, min(wanted, UDP_BYTES_MAX))


def _told(message: Message, code: dns.rcode.Rcode) -> bytes:
    response = dns.message.make_response(message)
    response.set_rcode(code)
    return response.to_wire()


def _records(meaning: Meaning, wanted: dns.rdatatype.RdataType) -> Iterator[str]:
    """Yield the records of a type, as they are written in a zone file."""
    if wanted is dns.rdatatype.AAAA:
        yield from (one for one in meaning.addresses if ":" in one)
    elif wanted is dns.rdatatype.A:
        yield from (one for one in meaning.addresses if ":" not in one)
    elif wanted is dns.rdatatype.TXT and meaning.text is not None:
        text = meaning.text
        starts = range(0, max(len(text), 1), _TEXT_BYTES_MAX)
        yield " ".join(f'"{text[start : start + _TEXT_BYTES_MAX]}"' for start in starts)
