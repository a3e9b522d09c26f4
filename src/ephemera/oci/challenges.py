"""The `WWW-Authenticate` header: how a registry wants to be shown who asks. No I/O.

Source: RFC 9110, 11.6.1; https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_SCHEME = re.compile(r"\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s+|\s*,|$)")
_PARAMETER = re.compile(r'[\s,]*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in that a registry offers."""

    #: `bearer`, `basic`, or another one that we do not know; in lower case.
    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse(header: str) -> list[Challenge]:
    """Return the ways in that a header offers, in its order; none where it cannot be read."""
    found = []
    at = 0
    while scheme := _SCHEME.match(header, at):
        at = scheme.end()
        parameters = {}
        while parameter := _PARAMETER.match(header, at):
            quoted, plain = parameter[2], parameter[3]
            value = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
            parameters[parameter[1].lower()] = value
            at = parameter.end()
        found.append(Challenge(scheme[1].lower(), parameters))
        at += len(header[at:]) - len(header[at:].lstrip(" ,"))
    return found
