"""What a machine is called and labelled, and how it finds names."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from ephemera.platform import refusals
from ephemera.platform.configs.fields import at_most, dns_name, required, text, wrong
from ephemera.wire.config import Dns, MachineConfig

#: All keys and values of a machine together. They are in every answer about the machine, and each
#: write of one writes all of them.
METADATA_CHARS_MAX = 64 * 1024
#: A resolver reads no more of them than a few; this is far beyond.
_DNS_VALUES_MAX = 64


def check(config: MachineConfig) -> None:
    """Check labels and the settings of the resolver."""
    check_metadata("config.metadata", config.metadata or {})
    if config.dns:
        _check_dns(config.dns)


def check_metadata(where: str, metadata: Mapping[str, str]) -> None:
    """Check the labels of a machine, which may be written by themselves too.

    Raises:
        Refusal: a key is empty, a NUL is in there, or it is all too long.
    """
    if sum(len(key) + len(value) for key, value in metadata.items()) > METADATA_CHARS_MAX:
        raise refusals.invalid(f"{where} is longer than {METADATA_CHARS_MAX} characters")
    for key, value in metadata.items():
        required(f"{where}: a key", key)
        if "\0" in key or "\0" in value:
            raise refusals.invalid(f"{where}: {key[:80]!r} or its value holds a NUL")


def _check_dns(dns: Dns) -> None:
    dns_name("config.dns.hostname", dns.hostname)
    dns_name("config.dns.hostname_fqdn", dns.hostname_fqdn)
    for field in ("nameservers", "searches", "options", "dns_forward_rules"):
        at_most(f"config.dns.{field}", getattr(dns, field), _DNS_VALUES_MAX)
    for number, server in enumerate(dns.nameservers or ()):
        _check_address(f"config.dns.nameservers[{number}]", server)
    for number, search in enumerate(dns.searches or ()):
        dns_name(f"config.dns.searches[{number}]", search)
    for number, option in enumerate(dns.options or ()):
        required(f"config.dns.options[{number}].name", option.name)
        text(f"config.dns.options[{number}].name", option.name)
        text(f"config.dns.options[{number}].value", option.value)
    for number, rule in enumerate(dns.dns_forward_rules or ()):
        required(f"config.dns.dns_forward_rules[{number}].basename", rule.basename)
        dns_name(f"config.dns.dns_forward_rules[{number}].basename", rule.basename)
        text(f"config.dns.dns_forward_rules[{number}].addr", rule.addr)


def _check_address(where: str, address: str) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise wrong(where, address, "is not an IP address") from None
