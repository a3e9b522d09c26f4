from __future__ import annotations

from typing import Any

import pytest

from ephemera.platform.configs import HealthCheck, health_checks
from ephemera.wire.config import MachineConfig

from .accepting import refusal


def _found(**config: Any) -> list[HealthCheck]:
    return health_checks(MachineConfig.model_validate(config))


def test_what_a_check_leaves_out_is_filled_in() -> None:
    (check,) = _found(checks={"alive": {"type": "tcp", "port": 80}})
    assert (check.name, check.port, check.is_http) == ("alive", 80, False)
    assert (check.interval_s, check.timeout_s, check.grace_s) == (15, 10, 0)


def test_times_are_read_in_every_form_of_the_wire() -> None:
    (check,) = _found(
        checks={
            "a": {
                "type": "http",
                "port": 80,
                "interval": "1m0s",
                "timeout": 2,
                "grace_period": 5_000_000_000,
            }
        }
    )
    assert (check.interval_s, check.timeout_s, check.grace_s) == (60, 2, 5)


def test_checks_of_services_are_named_and_numbered_as_on_fly() -> None:
    config = {
        "checks": {"alive": {"type": "tcp", "port": 9}},
        "services": [
            {"internal_port": 8080, "checks": [{"type": "http"}, {"type": "tcp", "port": 81}]},
            {"internal_port": 53},
            {"internal_port": 5432, "checks": [{"type": "tcp"}]},
        ],
    }
    assert [check.name for check in _found(**config)] == [
        "alive",
        "servicecheck-00-http-8080",
        "servicecheck-01-tcp-81",
        "servicecheck-02-tcp-5432",
    ]


def test_a_check_by_http_knows_what_to_send() -> None:
    (check,) = _found(
        checks={
            "a": {
                "type": "http",
                "port": 443,
                "method": "head",
                "path": "/h?a=b",
                "protocol": "https",
                "headers": [{"name": "X", "values": ["1", "2"]}, {"name": "Y"}],
                "tls_skip_verify": True,
                "tls_server_name": "example.com",
            }
        }
    )
    assert (check.method, check.path, check.is_https) == ("HEAD", "/h?a=b", True)
    assert check.headers == (("X", "1"), ("X", "2"))
    assert (check.tls_skip_verify, check.tls_server_name) == (True, "example.com")


@pytest.mark.parametrize(
    ("check", "named"),
    [
        ({"port": 1}, "config.checks.a.type is required"),
        ({"type": "udp", "port": 1}, "config.checks.a.type 'udp'"),
        ({"type": "tcp"}, "config.checks.a.port is required"),
        ({"type": "tcp", "port": 0}, "config.checks.a.port 0"),
        ({"type": "tcp", "port": 1, "interval": "500ms"}, "config.checks.a.interval '500ms'"),
        ({"type": "tcp", "port": 1, "interval": "90000h"}, "config.checks.a.interval"),
        ({"type": "tcp", "port": 1, "timeout": 0}, "config.checks.a.timeout 0"),
        ({"type": "tcp", "port": 1, "timeout": "61s"}, "config.checks.a.timeout '61s'"),
        ({"type": "tcp", "port": 1, "grace_period": "2h"}, "config.checks.a.grace_period '2h'"),
        ({"type": "tcp", "port": 1, "kind": "deadly"}, "config.checks.a.kind 'deadly'"),
        ({"type": "http", "port": 1, "method": "GET /"}, "config.checks.a.method 'GET /'"),
        ({"type": "http", "port": 1, "path": "x"}, "config.checks.a.path 'x'"),
        ({"type": "http", "port": 1, "path": "/\r\nX: y"}, "config.checks.a.path '/\\r\\nX: y'"),
        ({"type": "http", "port": 1, "protocol": "h2c"}, "config.checks.a.protocol 'h2c'"),
        ({"type": "http", "port": 1, "tls_server_name": "a b"}, "tls_server_name 'a b'"),
        ({"type": "http", "port": 1, "headers": [{"name": "a b"}]}, "headers[0].name 'a b'"),
        (
            {"type": "http", "port": 1, "headers": [{"name": "Content-Length", "values": ["9"]}]},
            "headers[0].name 'Content-Length' is for a body",
        ),
        (
            {"type": "http", "port": 1, "headers": [{"name": "a", "values": ["x\r\ny: z"]}]},
            "config.checks.a.headers[0].values 'x\\r\\ny: z'",
        ),
    ],
)
def test_a_check_that_cannot_be_made_is_refused(check: dict[str, Any], named: str) -> None:
    assert named in refusal(checks={"a": check})


def test_a_check_of_a_service_is_refused_by_its_place() -> None:
    services = [{"internal_port": 1, "checks": [{"type": "tcp"}, {"type": "tcp", "port": -1}]}]
    assert "config.services[0].checks[1].port -1" in refusal(services=services)


def test_there_are_not_too_many_checks_and_no_two_of_a_name() -> None:
    many = {str(number): {"type": "tcp", "port": 1} for number in range(51)}
    assert "51 checks are more than 50" in refusal(checks=many)
    services = [{"internal_port": 1, "checks": [{"type": "tcp"}]}]
    twice = {"servicecheck-00-tcp-1": {"type": "tcp", "port": 1}}
    assert "a name is that of a check of a service" in refusal(checks=twice, services=services)
