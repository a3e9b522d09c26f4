"""What is read from the services of a machine."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ephemera.platform.proxy.idling import mode
from ephemera.platform.proxy.offers import Offer, offers
from ephemera.platform.records import MachineRecord


def read(*services: dict[str, Any], **config: Any) -> tuple[Offer, ...]:
    whole = {"image": "host", "services": list(services), **config}
    return offers(cast("MachineRecord", SimpleNamespace(config=whole)))


WEB = {
    "internal_port": 8080,
    "autostart": True,
    "autostop": "suspend",
    "min_machines_running": 1,
    "concurrency": {"type": "requests", "soft_limit": 5, "hard_limit": 9},
    "ports": [
        {"port": 80, "handlers": ["http"], "force_https": True},
        {"port": 443, "handlers": ["tls", "http"]},
    ],
    "checks": [{"type": "http", "path": "/"}, {"type": "tcp", "port": 9000}],
}


def test_a_service_is_read_whole() -> None:
    [web] = read(WEB, checks={"up": {"type": "tcp", "port": 1, "kind": "readiness"}})
    assert (web.internal_port, web.by_connection, web.autostart) == (8080, False, True)
    assert (web.soft_limit, web.hard_limit, web.autostop) == (5, 9, "suspend")
    assert web.min_machines_running == 1
    assert web.checks == ("up", "servicecheck-00-http-8080", "servicecheck-01-tcp-9000")
    plain, tls = web.http(80, tls=False), web.http(443, tls=True)
    assert plain
    assert tls
    assert (plain.force_https, tls.force_https) == (True, False)
    for port, wrong in ((443, False), (80, True), (81, False)):
        assert web.http(port, tls=wrong) is None


def test_what_is_left_out_is_as_on_fly() -> None:
    [bare] = read({"internal_port": 5432, "ports": [{"start_port": 10, "end_port": 12}]})
    assert (bare.soft_limit, bare.hard_limit, bare.by_connection) == (20, math.inf, True)
    assert (bare.autostart, bare.autostop, bare.protocol) == (False, "off", "tcp")
    [opening] = bare.openings
    assert (opening.first, opening.last) == (10, 12)
    assert (opening.is_http, opening.is_tls, opening.proxy_protocol) == (False, False, "")


def test_a_soft_limit_is_never_above_the_hard_one() -> None:
    [small] = read({"internal_port": 1, "concurrency": {"hard_limit": 3}})
    assert small.soft_limit == 3


def test_a_machine_without_services_offers_nothing() -> None:
    assert read() == ()


@pytest.mark.parametrize(
    ("autostops", "wanted"),
    [
        (["stop"], "stop"),
        ([True], "stop"),
        (["suspend"], "suspend"),
        (["suspend", "stop"], "stop"),
        (["stop", "off"], ""),
        ([False], ""),
        ([None], ""),
        ([], ""),
    ],
)
def test_a_machine_is_stopped_only_if_all_of_its_services_allow_it(
    autostops: list[Any], wanted: str
) -> None:
    ports = [{"port": 80, "handlers": ["http"]}]
    services = [{"internal_port": 1, "autostop": one, "ports": ports} for one in autostops]
    assert mode(read(*services)) == wanted
