"""Every method of the two clients, with what it sends and what it makes of the answer."""

from __future__ import annotations

from tests.contract.client_cases import (
    apps,
    certificates,
    machines,
    places,
    secrets,
    tokens,
    volumes,
)
from tests.contract.client_cases.case import Cases

CASES: Cases = {
    **apps.CASES,
    **machines.CASES,
    **volumes.CASES,
    **secrets.CASES,
    **certificates.CASES,
    **places.CASES,
    **tokens.CASES,
}
