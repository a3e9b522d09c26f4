"""Every operation of the official document is one that the platform has."""

from __future__ import annotations

import re

import pytest

from ephemera.platform import app
from tests.conformance.document import Operation, load, operations

OPERATIONS = list(operations(load()))
SERVED = {
    f"{method} {re.sub('{[^}]+}', '{}', route.path)}"
    for route in app.ROUTES
    for method in route.methods or ()
}


def test_the_document_is_whole() -> None:
    assert len(load()["paths"]) == 53
    assert len(OPERATIONS) == 76


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_served(operation: Operation) -> None:
    assert operation.shape in SERVED
