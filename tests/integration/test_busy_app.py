"""An application that scales to zero is not stopped before its own jobs are reported."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx2

from ephemera.testing.clock import PlatformClock
from ephemera.testing.machines_api import AppUnderTest, Subject
from ephemera.testing.serving import Server
from tests.integration.test_proxy_apps import asked, until, web
from tests.ports import free_port

#: Its job runs until a file is there. It is told its app, store and port by the environment.
_SHOP = """
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ephemera import Job, command
from ephemera.integrations.fastapi import init_app

WAITS = "import os, sys, time\\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.02)"


def start(request):
    return PlainTextResponse(command([sys.executable, "-c", WAITS, sys.argv[2]]).enqueue().id)


def show(request):
    return PlainTextResponse(str(Job.get(request.path_params["job"]).outcome))


app = Starlette(routes=[Route("/start", start), Route("/jobs/{job}", show)])
init_app(app)
uvicorn.run(app, port=int(sys.argv[1]))
"""


def _get(server: Server, app: AppUnderTest, path: str) -> str:
    headers = {"Host": f"{app.name}.localhost"}
    url = f"{server.endpoint.proxy_url}{path}"
    return httpx2.get(url, headers=headers, timeout=40).raise_for_status().text


def test_an_app_with_a_running_job_is_stopped_when_the_job_is_reported_and_no_sooner(
    server: Server, subject: Subject, http: httpx2.Client, app: AppUnderTest, tmp_path: Path
) -> None:
    program, over = tmp_path / "shop.py", tmp_path / "over"
    program.write_text(_SHOP)
    port = free_port()
    shop = app.created_and(
        "started",
        (sys.executable, str(program), str(port), str(over)),
        env={"EPHEMERA_STORE": f"sqlite:///{tmp_path}/jobs.db", "EPHEMERA_APP": app.name},
        services=[
            {
                "internal_port": port,
                "autostart": True,
                "autostop": "stop",
                "ports": [{"port": 80, "handlers": ["http"]}],
            }
        ],
    )
    job = _get(server, app, "/start")
    until(lambda: "ephemera_busy" in app.get(f"/machines/{shop}/metadata"))
    clock = PlatformClock(server.endpoint.url, server.token)
    with AppUnderTest.made(subject, http) as idle:
        machine = web(idle)
        asked(server, idle)

        def is_looked_for_idle_machines() -> bool:
            clock.move(301)
            return idle.state(machine) == "stopped"

        until(is_looked_for_idle_machines)
    assert app.state(shop) == "started"
    over.touch()
    until(lambda: _get(server, app, f"/jobs/{job}") == "succeeded")
    until(lambda: "ephemera_busy" not in app.get(f"/machines/{shop}/metadata"))

    def is_stopped() -> bool:
        clock.move(301)
        return app.state(shop) == "stopped"

    until(is_stopped)
    clock.close()
