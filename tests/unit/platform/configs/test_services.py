from __future__ import annotations

from typing import Any

import pytest

from .accepting import checked, refusal


@pytest.mark.parametrize(
    ("service", "named"),
    [
        ({}, "config.services[0].internal_port is required"),
        ({"internal_port": 0}, "config.services[0].internal_port 0"),
        ({"internal_port": 65536}, "config.services[0].internal_port 65536"),
        ({"internal_port": 1, "protocol": "icmp"}, "config.services[0].protocol 'icmp'"),
        ({"internal_port": 1, "autostop": "later"}, "config.services[0].autostop 'later'"),
        ({"internal_port": 1, "min_machines_running": -1}, "min_machines_running -1"),
        (
            {"internal_port": 1, "concurrency": {"type": "threads"}},
            "config.services[0].concurrency.type 'threads'",
        ),
        (
            {"internal_port": 1, "concurrency": {"soft_limit": 3, "hard_limit": 2}},
            "concurrency.soft_limit 3 is above the hard_limit, 2",
        ),
    ],
)
def test_a_service_that_cannot_be_is_refused(service: dict[str, Any], named: str) -> None:
    assert named in refusal(services=[service])


@pytest.mark.parametrize(
    ("port", "named"),
    [
        ({}, "needs a port"),
        ({"port": 0}, "config.services[0].ports[1].port 0 is not from 1 to 65535"),
        ({"start_port": 5}, "needs a port, or a start_port and an end_port"),
        ({"start_port": 6, "end_port": 5}, "ports[1].start_port 6 is above the end_port, 5"),
        ({"port": 1, "start_port": 5, "end_port": 6}, "has a port and a range of ports"),
        ({"port": 1, "handlers": ["ftp"]}, "config.services[0].ports[1].handlers[0] 'ftp'"),
        ({"port": 1, "http_options": {"idle_timeout": -1}}, "http_options.idle_timeout -1"),
        (
            {"port": 1, "http_options": {"replay_cache": [{"type": "x"}]}},
            "ports[1].http_options.replay_cache[0].type 'x'",
        ),
        ({"port": 1, "proxy_proto_options": {"version": "v3"}}, "proxy_proto_options.version"),
        ({"port": 1, "tls_options": {"alpn": ["a\nb"]}}, "tls_options.alpn[0] 'a\\nb'"),
    ],
)
def test_a_port_that_cannot_be_is_refused(port: dict[str, Any], named: str) -> None:
    ports = [{"port": 80, "handlers": ["http"]}, port]
    assert named in refusal(services=[{"internal_port": 8080, "ports": ports}])


def test_a_service_needs_no_ports_to_the_outside() -> None:
    checked(services=[{"internal_port": 8080, "protocol": "tcp"}])


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"services": [{"internal_port": 1}] * 101}, "config.services holds 101"),
        ({"metrics": {"port": 70_000}}, "config.metrics.port 70000"),
        ({"metrics": {"port": 1, "path": "metrics"}}, "config.metrics.path 'metrics'"),
        ({"statics": [{"guest_path": "/a", "url_prefix": "a"}]}, "config.statics[0].url_prefix"),
        ({"statics": [{"guest_path": "", "url_prefix": "/"}]}, "statics[0].guest_path is required"),
        ({"mounts": [{"path": "/a"}]}, "config.mounts[0].volume is required"),
        ({"mounts": [{"volume": "v", "path": "a"}]}, "config.mounts[0].path 'a'"),
        ({"mounts": [{"volume": "v"}]}, "config.mounts[0].path ''"),
        ({"mounts": [{"volume": "v", "path": "/a"}] * 2}, "at most 1 volume"),
        ({"metadata": {"": "a"}}, "config.metadata: a key is required"),
        ({"metadata": {"a\0": "b"}}, "config.metadata: 'a\\x00'"),
        ({"metadata": {"a": "\0"}}, "config.metadata: 'a'"),
        ({"metadata": {"a": "x" * 65_536}}, "config.metadata is longer than 65536"),
        ({"dns": {"nameservers": ["one.one.one.one"]}}, "config.dns.nameservers[0]"),
        ({"dns": {"hostname": "a b"}}, "config.dns.hostname 'a b'"),
        ({"dns": {"searches": ["-"]}}, "config.dns.searches[0] '-'"),
        ({"dns": {"options": [{}]}}, "config.dns.options[0].name is required"),
        ({"dns": {"dns_forward_rules": [{}]}}, "dns_forward_rules[0].basename is required"),
        ({"schedule": "yearly"}, "config.schedule 'yearly' is not one of hourly"),
        ({"standbys": ["me"]}, "config.standbys[0] 'me'"),
        ({"standbys": ["a" * 14], "services": [{"internal_port": 1}]}, "no services"),
        ({"restart": {"max_retries": -1}}, "config.restart.max_retries -1"),
        ({"restart": {"max_retries": 10**20}}, "config.restart.max_retries 1000"),
        ({"rootfs": {"persist": 4}}, "config.rootfs.persist 4"),
    ],
)
def test_what_cannot_be_is_refused_by_name(config: dict[str, Any], named: str) -> None:
    assert named in refusal(**config)
