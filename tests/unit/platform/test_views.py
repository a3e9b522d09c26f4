from __future__ import annotations

from typing import Any

import pytest

from ephemera.platform import views
from ephemera.platform.records import EventRecord
from ephemera.wire.models import MachineEvent


def shown(request: dict[str, Any] | None) -> dict[str, Any]:
    record = EventRecord("01", "m", "exit", "stopped", "flyd", 1, request)
    return views.event(record)


def test_an_exit_is_in_both_places_where_clients_look_for_it() -> None:
    end = {"exit_code": 3, "signal": -1}
    request = shown({"exit_event": end, "restart_count": 2})["request"]
    assert request["exit_event"] == request["MonitorEvent"]["exit_event"] == end
    assert request["restart_count"] == 2


def test_our_own_client_reads_it() -> None:
    event = MachineEvent.model_validate(shown({"exit_event": {"exit_code": 3}}))
    found = event.exit_event()
    assert found is not None
    assert found.exit_code == 3


@pytest.mark.parametrize("request_", [None, {"reason": ""}])
def test_other_events_are_shown_as_they_are(request_: dict[str, Any] | None) -> None:
    assert shown(request_).get("request") == request_
