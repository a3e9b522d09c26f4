"""The IP addresses of an app as they travel."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ephemera.wire.golang import GoWire

IpType = Literal[
    "v4", "v6", "shared_v4", "private_v6", "egress_v4", "egress_v6", "egress_pair"
]  # fmt: skip


class IpAssignment(GoWire):
    """An address at which an app is reached, or from which its machines reach out."""

    ip: str = ""
    region: str = ""
    service_name: str = ""
    #: Other apps have the same address.
    shared: bool = False
    #: Machines reach out from it.
    egress: bool = False
    created_at: str = ""


class IpPair(GoWire):
    """Two addresses that are given together."""

    v4: str = ""
    v6: str = ""


class AssignedIp(GoWire):
    """The answer to giving an app an address."""

    #: None where it is a pair.
    ip: str | None = None
    ip_pair: IpPair | None = None
    region: str = ""
    service_name: str = ""
    shared: bool = False
    egress: bool = False
    created_at: str = ""


class IpAssignments(GoWire):
    """The answer to listing an app's addresses."""

    ips: list[IpAssignment] = Field(default_factory=list)
