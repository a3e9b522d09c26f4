"""What the proxy costs: requests a second, and what it adds to one request, beside nginx.

The app is nginx, which answers a few bytes and is faster than any app, in a machine of the
`process` driver. Another nginx with connections that are kept is before the same app. `wrk` asks
the app itself, nginx and the proxy in turn, so that a slow moment of the computer hits them all.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console

from benchmarks.measuring import Result
from ephemera.cli.demonstration import free_port
from ephemera.platform.settings import Settings
from ephemera.testing.serving import serving

_APP, _MANY = "bench", "many"
#: What the request says it is for: the app of many machines, or the one of a single one.
_HOSTS = {"proxy, many": f"{_MANY}.localhost"}
_HOST = f"{_APP}.localhost"
#: In the short run less: there it is to be seen only that it works.
_MACHINES, _MACHINES_SHORT = 100, 10
#: As many as keep the proxy busy; the load generator has one core at most.
_CONNECTIONS = 16
_ROUND_S = 1
#: How often it is asked again after a round without an answer.
_ROUNDS_MAX = 30
_ANSWERS_MAX_S = 60
#: One line of JSON, in which times are microseconds.
_REPORT = """
done = function(summary, latency, requests)
  io.stderr:write(string.format('{"seconds": %f, "requests": %d, "median": %f, "failed": %d}',
    summary.duration / 1e6, summary.requests, latency:percentile(50),
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""
_APP_CONFIG = """
daemon off; pid {folder}/app.pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 100000000; {temporary}
  server {{
    listen 127.0.0.1:{port};
    location / {{ default_type text/plain; return 200 "hello"; }}
  }}
}}
"""
_NGINX_CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log stderr crit; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 100000000; {temporary}
  upstream app {{ server 127.0.0.1:{app}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def proxied(folder: Path, rounds: int) -> list[Result]:
    """Measure the proxy, nginx and the app itself; nothing where nginx or wrk is not there."""
    missing = [name for name in ("nginx", "wrk") if not _found(name)]
    if missing:
        Console().print(f"the proxy is not measured: {', '.join(missing)} is not there")
        return []
    with ExitStack() as stack:
        count = _MACHINES if rounds > 1 else _MACHINES_SHORT
        urls = stack.enter_context(_all_served(folder, count))
        report = folder / "report.lua"
        report.write_text(_REPORT)
        per_second = {name: [0.0] * 0 for name in urls}
        median_ms = {name: [0.0] * 0 for name in urls}
        for _ in range(rounds):
            for name, url in urls.items():
                per_second[name].append(_asked(name, url, report, _CONNECTIONS)[0])
                median_ms[name].append(_asked(name, url, report, 1)[1])
    rates = {name: statistics.median(found) for name, found in per_second.items()}
    times = {name: statistics.median(found) for name, found in median_ms.items()}
    return [
        Result(
            "proxy, requests of a small answer",
            rates["proxy"],
            "per s",
            3000,
            rounds,
            "nginx",
            rates["nginx"],
            at_least=True,
        ),
        Result(
            "proxy, added to a request",
            times["proxy"] - times["app"],
            "ms",
            1,
            rounds,
            "nginx",
            times["nginx"] - times["app"],
        ),
        Result(
            "proxy, requests: an app of 100 machines to one of 1",
            rates["proxy, many"] / rates["proxy"],
            "x",
            0.5,
            rounds,
            at_least=True,
        ),
    ]


def _found(program: str) -> str | None:
    """Return where a program is; nginx is among those of the administrator."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


@contextmanager
def _all_served(folder: Path, count: int) -> Iterator[dict[str, str]]:
    """Have the app, nginx before it and the proxy before it; the URL of each.

    Args:
        count: How many machines another app has. They do nothing: requests that are for it go
            to the same program.
    """
    nginx = _found("nginx")
    assert nginx
    app_port, nginx_port = free_port(), free_port()
    app = _configured(folder / "app.conf", _APP_CONFIG, port=app_port)
    before = _configured(folder / "nginx.conf", _NGINX_CONFIG, port=nginx_port, app=app_port)
    with (
        serving(folder / "home", driver="process", settings=Settings()) as server,
        _running(nginx, "-p", str(folder), "-c", str(before)),
    ):
        with httpx2.Client(base_url=server.endpoint.url, headers=server.headers, timeout=30) as api:
            program = [nginx, "-p", str(folder), "-c", str(app)]
            for name, command, machines in (
                (_APP, program, 1),
                (_MANY, ["sleep", "3600"], count),
            ):
                api.post("/v1/apps", json={"name": name}).raise_for_status()
                config = _config(command, app_port)
                for _ in range(machines):
                    made = api.post(f"/v1/apps/{name}/machines", json={"config": config})
                    made.raise_for_status()
        urls = {
            "app": f"http://127.0.0.1:{app_port}/",
            "nginx": f"http://127.0.0.1:{nginx_port}/",
            "proxy": f"{server.endpoint.proxy_url}/",
            "proxy, many": f"{server.endpoint.proxy_url}/",
        }
        for name, url in urls.items():
            _wait_for(url, _HOSTS.get(name, _HOST))
        yield urls


def _config(command: list[str], port: int) -> dict[str, Any]:
    return {
        "image": "host",
        "init": {"exec": command},
        "services": [
            {
                "protocol": "tcp",
                "internal_port": port,
                "ports": [{"port": 80, "handlers": ["http"]}],
                "concurrency": {"type": "requests", "soft_limit": 1000},
            }
        ],
    }


def _configured(path: Path, config: str, **places: int) -> Path:
    folder = path.parent
    temporary = " ".join(f"{name}_temp_path {folder}/{path.stem}-{name};" for name in _TEMPORARY)
    path.write_text(config.format(folder=folder, temporary=temporary, **places))
    return path


@contextmanager
def _running(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, host: str) -> None:
    deadline = time.monotonic() + _ANSWERS_MAX_S
    while True:
        try:
            httpx2.get(url, headers={"Host": host}, trust_env=False).raise_for_status()
            return
        except httpx2.HTTPError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _asked(name: str, url: str, report: Path, connections: int) -> tuple[float, float]:
    """Ask for a round; return the answers per second, and the median of one in milliseconds.

    Raises:
        RuntimeError: an answer was no success, or there was none.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{_ROUND_S}s", f"--timeout={_ANSWERS_MAX_S}s"]
    command += ["-s", str(report), "-H", f"Host: {_HOSTS.get(name, _HOST)}", url]
    for _ in range(_ROUNDS_MAX):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stderr)
        if found["requests"] or found["failed"]:
            break  # else this computer had no time for anybody
    else:
        raise RuntimeError(f"{url}: nothing was answered in {_ROUNDS_MAX} rounds")
    if found["failed"]:
        raise RuntimeError(f"{url}: {found['failed']} of {found['requests']} requests failed")
    return found["requests"] / found["seconds"], found["median"] / 1000
