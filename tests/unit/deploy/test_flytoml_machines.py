"""From a `fly.toml` to the configs of machines."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from ephemera.deploy.flytoml import load, parse
from ephemera.errors import ConfigError


def config(text: str, group: str = "app") -> dict[str, Any]:
    toml = parse(text, Path("fly.toml"))
    return toml.machine_config(group, "img").model_dump(exclude_none=True)


def test_an_http_service_is_on_ports_80_and_443() -> None:
    (service,) = config(
        "[http_service]\ninternal_port = 8080\nforce_https = true\nauto_stop_machines = true\n"
        "auto_start_machines = true\nmin_machines_running = 0\n"
        "[http_service.concurrency]\ntype = 'requests'\nsoft_limit = 20\n"
    )["services"]
    assert service == {
        "protocol": "tcp",
        "internal_port": 8080,
        "ports": [
            {"port": 80, "handlers": ["http"], "force_https": True},
            {"port": 443, "handlers": ["tls", "http"]},
        ],
        "concurrency": {"type": "requests", "soft_limit": 20},
        "autostart": True,
        "autostop": "stop",
        "min_machines_running": 0,
    }


def test_services_keep_their_ports_and_options() -> None:
    (service,) = config(
        "[[services]]\ninternal_port = '5432'\nprotocol = 'tcp'\n[[services.ports]]\n"
        "start_port = 5000\nend_port = 5010\nhandlers = ['pg_tls']\n"
        "[services.ports.tls_options]\nalpn = ['h2']\n"
    )["services"]
    assert service["internal_port"] == 5432
    assert service["ports"] == [
        {
            "start_port": 5000,
            "end_port": 5010,
            "handlers": ["pg_tls"],
            "tls_options": {"alpn": ["h2"]},
        }
    ]


def test_checks_of_services_and_of_machines() -> None:
    made = config(
        "[http_service]\ninternal_port = 8080\n[[http_service.checks]]\ninterval = 10000\n"
        "timeout = '2s'\npath = '/up'\nheaders = {X-From = 'check'}\n"
        "[[http_service.tcp_checks]]\ngrace_period = '1m30s'\n"
        "[checks.alive]\ntype = 'http'\nmethod = 'get'\n"
    )
    by_tcp, by_http = made["services"][0]["checks"]
    assert by_tcp == {"type": "tcp", "grace_period": "1m30s"}
    assert by_http == {
        "type": "http",
        "interval": "10s",
        "timeout": "2s",
        "path": "/up",
        "headers": [{"name": "X-From", "values": ["check"]}],
    }
    assert made["checks"] == {"alive": {"type": "http", "port": 8080, "method": "get"}}


def test_what_names_no_group_is_of_the_default_group() -> None:
    text = (
        "[processes]\nworker = 'python -m work \"a b\"'\nweb = ''\n"
        "[http_service]\ninternal_port = 80\n[mounts]\ndestination = '/d'\nsource = 'data'\n"
        "initial_size = '3gb'\n[[vm]]\nmemory = 512\n[[vm]]\nsize = 'performance-2x'\n"
        "processes = ['worker']\n"
    )
    web, worker = config(text, "web"), config(text, "worker")
    assert "init" not in web
    assert worker["init"]["cmd"] == ["python", "-m", "work", "a b"]
    assert web["mounts"] == [{"name": "data", "path": "/d", "size_gb": 3}]
    assert "services" in web
    assert "services" not in worker
    assert "mounts" not in worker
    assert web["guest"] == {"cpu_kind": "shared", "cpus": 1, "memory_mb": 512}
    assert worker["guest"] == {"cpu_kind": "performance", "cpus": 2, "memory_mb": 4096}


def test_every_machine_knows_its_group_its_region_and_the_environment() -> None:
    made = config("primary_region = 'iad'\n[env]\nA = 1\nB = true\nC = 'x'\n")
    assert made["env"] == {
        "A": "1",
        "B": "true",
        "C": "x",
        "FLY_PROCESS_GROUP": "app",
        "PRIMARY_REGION": "iad",
    }
    assert made["metadata"] == {"fly_process_group": "app", "fly_platform_version": "v2"}
    assert made["image"] == "img"


def test_how_it_is_stopped_and_started_again() -> None:
    made = config(
        "kill_signal = 'SIGTERM'\nkill_timeout = 90\nswap_size_mb = 512\n"
        "[[restart]]\npolicy = 'never'\nretries = 3\n"
    )
    assert made["stop_config"] == {"signal": "SIGTERM", "timeout": "1m30s"}
    assert made["restart"] == {"policy": "no", "max_retries": 3}
    assert made["init"] == {"swap_size_mb": 512}


def test_files_come_from_beside_the_toml(tmp_path: Path) -> None:
    (tmp_path / "here.txt").write_text("here")
    (tmp_path / "fly.toml").write_text(
        "[[files]]\nguest_path = '/a'\nlocal_path = 'here.txt'\n"
        "[[files]]\nguest_path = '/b'\nraw_value = 'there'\n"
        "[[files]]\nguest_path = '/c'\nsecret_name = 'KEY'\n"
    )
    toml = load(tmp_path / "fly.toml")
    local, raw, secret = toml.machine_config("app", "img").files or []
    assert base64.b64decode(local.raw_value or "") == b"here"
    assert base64.b64decode(raw.raw_value or "") == b"there"
    assert (secret.secret_name, secret.raw_value) == ("KEY", None)
    (tmp_path / "here.txt").unlink()
    with pytest.raises(ConfigError, match=r"here\.txt of \[\[files\]\] cannot be read"):
        toml.machine_config("app", "img")


def test_a_release_machine_runs_its_command_once_and_offers_nothing() -> None:
    toml = parse(
        "[deploy]\nrelease_command = 'python manage.py migrate'\n[http_service]\n"
        "internal_port = 80\n[mounts]\ndestination = '/d'\n[[vm]]\nmemory = 512\n",
        Path("fly.toml"),
    )
    made = toml.release_config("img").model_dump(exclude_none=True)
    assert made["init"]["cmd"] == ["python", "manage.py", "migrate"]
    assert made["restart"] == {"policy": "no"}
    assert made["env"]["RELEASE_COMMAND"] == "1"
    assert made["metadata"]["fly_process_group"] == "fly_app_release_command"
    assert made["guest"]["memory_mb"] == 512
    assert not {"services", "mounts", "checks"} & set(made)


def test_a_group_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="no process group 'web'"):
        config("[processes]\nwork = 'x'\n", "web")


@pytest.mark.parametrize(
    ("written", "guest"),
    [
        ("size = 'shared-cpu-2x'", ("shared", 2, 512)),
        ("size = 'shared-cpu-2x'\nmemory = '1gb'", ("shared", 2, 1024)),
        ("cpus = 4", ("shared", 4, 1024)),
        ("cpu_kind = 'performance'\ncpus = 2", ("performance", 2, 4096)),
        ("memory_mb = 1024", ("shared", 1, 1024)),
    ],
)
def test_sizes_of_machines(written: str, guest: tuple[str, int, int]) -> None:
    made = config(f"[[vm]]\n{written}\n")["guest"]
    assert (made["cpu_kind"], made["cpus"], made["memory_mb"]) == guest


def test_statics_metrics_and_what_runs_instead() -> None:
    made = config(
        "[[statics]]\nguest_path = '/app/static'\nurl_prefix = '/static'\n"
        "[metrics]\nport = 9090\npath = '/metrics'\n[experimental]\nentrypoint = ['/init']\n"
    )
    assert made["statics"] == [{"guest_path": "/app/static", "url_prefix": "/static"}]
    assert made["metrics"] == {"port": 9090, "path": "/metrics"}
    assert made["init"] == {"entrypoint": ["/init"]}
