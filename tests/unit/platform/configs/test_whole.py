from __future__ import annotations

from typing import Any

import pytest

from ephemera.platform import configs

from .accepting import HOST_ONLY, checked, refusal


def test_defaults_are_filled_in_and_the_rest_is_kept() -> None:
    assert checked(HOST_ONLY, env={"A": "1"}, new_in_2030=True) == {
        "image": "host",
        "env": {"A": "1"},
        "new_in_2030": True,
        "init": {},
        "dns": {},
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
    }


#: Every part of a config, with values that are right and none that is filled in.
EVERYTHING: dict[str, Any] = {
    "image": "registry.fly.io/app:deployment-01J",
    "env": {"A": "1"},
    "guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512, "max_memory_mb": 1024},
    "init": {"entrypoint": ["a"], "cmd": ["b"], "tty": True, "swap_size_mb": 512},
    "restart": {"policy": "on-failure", "max_retries": 3},
    "auto_destroy": False,
    "stop_config": {"signal": "SIGTERM", "timeout": "1m0s"},
    "files": [{"guest_path": "/a/b", "raw_value": "aGk=", "mode": 0o600}],
    "metadata": {"fly_process_group": "web", "ümlaut": "any\nthing"},
    "services": [
        {
            "protocol": "tcp",
            "internal_port": 8080,
            "autostart": True,
            "autostop": "suspend",
            "min_machines_running": 0,
            "concurrency": {"type": "requests", "soft_limit": 20, "hard_limit": 25},
            "ports": [
                {
                    "port": 443,
                    "handlers": ["tls", "http"],
                    "force_https": False,
                    "http_options": {
                        "compress": True,
                        "h2_backend": False,
                        "idle_timeout": 60,
                        "headers_read_timeout": 10,
                        "response": {"headers": {"X": "1", "Y": ["a"], "Z": False}},
                        "replay_cache": [
                            {"type": "cookie", "name": "c", "path_prefix": "/", "ttl_seconds": 30}
                        ],
                    },
                    "tls_options": {"alpn": ["h2"], "versions": ["TLSv1.3"]},
                    "proxy_proto_options": {"version": "v2"},
                },
                {"start_port": 1000, "end_port": 2000, "handlers": []},
            ],
            "checks": [{"type": "tcp", "interval": 15_000_000_000, "grace_period": "5s"}],
        }
    ],
    "checks": {
        "alive": {
            "type": "http",
            "port": 8080,
            "interval": "15s",
            "timeout": 2,
            "method": "get",
            "path": "/healthz?full=1",
            "headers": [{"name": "X-A", "values": ["1", "2"]}],
            "kind": "readiness",
        }
    },
    "mounts": [{"volume": "vol_2n0l3vl60qpv635d", "path": "/data", "name": "data"}],
    "processes": [
        {
            "exec": ["a"],
            "env": {"B": "2"},
            "env_from": [{"env_var": "ID", "field_ref": "id"}],
            "secrets": [{"env_var": "TOKEN", "name": "OTHER"}],
            "ignore_app_secrets": True,
            "user": "nobody",
        },
        {"cmd": ["b"]},
    ],
    "schedule": "daily",
    "metrics": {"port": 9090, "path": "/metrics", "https": False},
    "statics": [{"guest_path": "/srv/public", "url_prefix": "/public"}],
    "dns": {
        "nameservers": ["fdaa::3", "10.0.0.1"],
        "searches": ["internal"],
        "options": [{"name": "ndots", "value": "2"}],
        "dns_forward_rules": [{"basename": "corp.example", "addr": "10.0.0.2"}],
        "hostname": "web-1",
        "skip_registration": False,
    },
    "rootfs": {"persist": "never", "size_gb": 4},
    "disable_machine_autostart": False,
}


def test_what_was_sent_comes_back_unchanged() -> None:
    assert checked(**EVERYTHING) == EVERYTHING


def test_empty_values_of_everything_are_accepted() -> None:
    empty: dict[str, Any] = {
        name: type(value)() for name, value in EVERYTHING.items() if name != "image"
    }
    del empty["auto_destroy"], empty["disable_machine_autostart"]
    empty |= {"containers": [], "volumes": None, "spot": {}, "cache_drive": None, "size": ""}
    stored = checked(**empty)
    assert stored["init"] == stored["dns"] == {}
    assert stored["mounts"] == stored["services"] == []


def test_nulls_are_as_good_as_nothing() -> None:
    nothing = dict.fromkeys(EVERYTHING)
    assert checked(**{**nothing, "image": "host"})["guest"]["memory_mb"] == 256


@pytest.mark.parametrize(
    ("sent", "answered"), [("off", False), ("stop", True), ("suspend", "suspend"), (True, True)]
)
def test_autostop_is_answered_in_the_form_of_the_wire(sent: object, answered: object) -> None:
    stored = checked(services=[{"internal_port": 80, "autostop": sent}])
    assert stored["services"][0]["autostop"] == answered


@pytest.mark.parametrize(
    "config",
    [
        {"containers": [{"name": "a", "image": "b"}]},
        {"volumes": [{"name": "v", "temp_dir": {"storage_type": "disk", "size_mb": 1}}]},
        {"cache_drive": {"size_mb": 10}},
        {"spot": {"max_price_fraction": 0.5}},
        {"init": {"kernel_args": ["quiet"]}},
        {"guest": {"kernel_args": ["quiet"]}},
        {"guest": {"gpus": 1}},
        {"guest": {"gpu_kind": "l40s"}},
        {"guest": {"host_dedication_id": "h"}},
        {"restart": {"gpu_bid_price": 0.5}},
        {"restart": {"policy": "spot-price"}},
        {"rootfs": {"persist": "always"}},
        {"rootfs": {"persist": 2}},
        {"guest": {"persist_rootfs": "restart"}},
        {"size": "a100-40gb"},
        {"files": [{"guest_path": "/a", "image_config": "b"}]},
    ],
)
def test_what_no_driver_can_do_is_refused_by_name(config: dict[str, Any]) -> None:
    why = refusal(**config)
    assert why.startswith("unsupported: ")
    (outer,) = config
    inner = next(iter(config[outer]), "") if isinstance(config[outer], dict) else ""
    assert f"config.{outer}{'.' if inner else ''}{inner}" in why or f"config.{outer}" in why


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"init": {"tty": True}}, "config.init.tty"),
        ({"mounts": [{"volume": "vol_1", "path": "/data"}]}, "config.mounts"),
        ({"processes": [{"cmd": ["a"]}, {"cmd": ["b"]}]}, "config.processes"),
        ({"processes": [{"cmd": ["a"], "user": "root"}]}, "config.processes[0].user 'root'"),
        ({"image": "ubuntu"}, "image 'ubuntu'"),
    ],
)
def test_what_this_driver_cannot_do_is_refused_by_name(config: dict[str, Any], named: str) -> None:
    why = refusal(HOST_ONLY, **config)
    assert why.startswith("unsupported: ")
    assert named in why
    assert "'process' driver" in why
    checked(**config)


def test_a_program_may_be_told_to_run_as_whom_it_runs_as_anyway() -> None:
    for user in ("me", "1000"):
        checked(HOST_ONLY, processes=[{"cmd": ["a"], "user": user}])


def test_a_wrong_value_is_shown_in_part_only() -> None:
    why = refusal(schedule="x" * 10_000)
    assert len(why) < 300
    assert "config.schedule 'xxx" in why


def test_what_an_older_version_accepted_does_not_keep_a_machine_from_being_read() -> None:
    config = configs.stored({"image": "host", "metrics": "?", "services": [{"internal_port": "x"}]})
    assert config.image == "host"
    assert config.services is None
