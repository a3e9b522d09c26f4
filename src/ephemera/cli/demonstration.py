"""The main job, end to end, as somebody with a browser and two terminals would see it.

```
start the platform ─► start the web application, a machine on it ─► it answers
       ┌────────────────────────────────────────────────────────────────┘
       └► GET /job/start ─► the job ends, its machine is destroyed ─► GET /job/status
                   meanwhile: the app's log, live
```
"""

from __future__ import annotations

import asyncio
import calendar
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2

from ephemera.cli.interrupts import Held, uninterrupted
from ephemera.cli.narrator import Narrator
from ephemera.client import AsyncClient, ensure_platform
from ephemera.demos import welcome
from ephemera.deploy.release import ports
from ephemera.errors import EphemeraError
from ephemera.home import Endpoint, read_token
from ephemera.jobs import Job, configure
from ephemera.wire.models import Machine, MachineConfig

APP = "welcome"
#: The web application is there in half a second; a first start on a cold disk was seen to take
#: several. This, and what is below, is for a computer that is very busy.
_ANSWERS_MAX_S = 60
_KNOCK_EVERY_S = 0.02
_REQUEST_TIMEOUT_S = 30.0
_JOB_MAX_S = 60.0
#: The job's outcome is written before its machine is destroyed, and its last line is shown.
_AFTER_JOB_MAX_S = 60.0


def run(folder: Path) -> None:
    """Do it all on a platform of its own in `folder`, which is left running.

    Raises:
        EphemeraError: it did not go as it should.
    """
    with uninterrupted():
        # The browser is outside of all machines: it would not reach an application in a container.
        endpoint = ensure_platform(folder, listen="127.0.0.1:0", driver="process")
    with uninterrupted() as held, contextlib.suppress(asyncio.CancelledError):
        _run_on(endpoint, folder, held)


def _run_on(endpoint: Endpoint, folder: Path, held: Held) -> None:
    async def cancellable() -> None:
        # An interrupt must not meet an event loop that is being made, nor one that is closed.
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task
        held.tell(lambda: loop.call_soon_threadsafe(task.cancel))
        try:
            await _run(endpoint.url, folder, narrator)
        finally:
            held.tell(lambda: None)

    configure(store=f"sqlite:///{folder / 'jobs.db'}", supervise=False)
    with Narrator() as narrator:
        narrator.step(f"the platform serves {endpoint.url}")
        asyncio.run(cancellable())


async def _run(url: str, folder: Path, narrator: Narrator) -> None:
    async with (
        AsyncClient(url, read_token(folder)) as client,
        httpx2.AsyncClient(trust_env=False, timeout=_REQUEST_TIMEOUT_S) as browser,
    ):
        await client.apps.create(APP)
        async with _log_shown(client, narrator):
            site = await _serve_site(client, browser, folder, narrator)
            job = await _start_job(browser, site, narrator)
            await _see_it_end(client, job, narrator)
            await _compare_times(browser, site, narrator)


@contextlib.asynccontextmanager
async def _log_shown(client: AsyncClient, narrator: Narrator) -> AsyncIterator[None]:
    async def show() -> None:
        async for entry in client.logs.follow(APP):
            narrator.log(entry)

    shown = asyncio.create_task(show())
    try:
        yield
    finally:
        shown.cancel()
        await asyncio.wait([shown])


async def _serve_site(
    client: AsyncClient, browser: httpx2.AsyncClient, folder: Path, narrator: Narrator
) -> str:
    """Start the web application as a machine and return its URL once it answers."""
    port = free_port()
    config = site_config(port, folder)
    machine = await client.machines.create(APP, config=config, name="web")
    narrator.step(f"the web application runs on machine {machine.id}")
    site = f"http://127.0.0.1:{port}"
    narrator.wait("waiting for the web application to answer")
    await _until_it_answers(client, browser, machine, site)
    narrator.step(f"the web application answers at {site}")
    return site


def site_config(port: int, folder: Path) -> MachineConfig:
    """Return the config of a machine that serves the demo application.

    Args:
        port: Of 127.0.0.1.
        folder: Where the application keeps its status, in a folder made for it.
    """
    data = folder / APP
    data.mkdir()
    server = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port)]
    server += ["--app-dir", str(Path(welcome.__file__).parent)]
    config = {
        "image": "host",
        "init": {"exec": server},
        "env": {"PORT": str(port), "WELCOME_FOLDER": str(data)},
        "restart": {"policy": "always"},
    }
    return MachineConfig.model_validate(config)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens, and which the system gives to nobody."""
    return next(ports.free((), lambda _: True))


async def _until_it_answers(
    client: AsyncClient, browser: httpx2.AsyncClient, machine: Machine, site: str
) -> None:
    ended = asyncio.create_task(
        client.machines.wait(APP, machine.id, ("stopped", "failed"), timeout=_ANSWERS_MAX_S)
    )
    try:
        while not ended.done():
            try:
                await browser.get(site)
            except httpx2.TransportError:
                await asyncio.wait([ended], timeout=_KNOCK_EVERY_S)
            else:
                return
    finally:
        ended.cancel()
        await asyncio.wait([ended])
    raise EphemeraError(f"the web application on machine {machine.id} does not answer at {site}")


async def _start_job(browser: httpx2.AsyncClient, site: str, narrator: Narrator) -> Job:
    narrator.step("GET /job/start")
    job_id = (await _get(browser, f"{site}/job/start")).strip()
    narrator.step(f"job {job_id} is enqueued")
    narrator.wait("waiting for the job")
    return Job.get(job_id)


async def _see_it_end(client: AsyncClient, job: Job, narrator: Narrator) -> None:
    """Return when the job has succeeded and its machine is gone."""
    try:
        outcome = await job.async_wait(_JOB_MAX_S)
    except TimeoutError as error:
        raise EphemeraError(str(error)) from error
    if not outcome.ok:
        raise EphemeraError(f"job {job.id} ended as {outcome.cause}: {outcome.message}")
    narrator.wait("waiting for its machine to be gone")
    machine_id = job.machine_id
    await client.machines.wait(APP, machine_id, "destroyed", timeout=_AFTER_JOB_MAX_S)
    try:
        async with asyncio.timeout(_AFTER_JOB_MAX_S):
            await narrator.shown(machine_id, "machine exited with")
    except TimeoutError as error:
        raise EphemeraError(f"the log does not say how machine {machine_id} exited") from error
    narrator.step(f"the job {outcome.cause}; its machine {machine_id} is destroyed")


async def _compare_times(browser: httpx2.AsyncClient, site: str, narrator: Narrator) -> None:
    narrator.step("GET /job/status")
    status = await _get(browser, f"{site}/job/status")
    for line in status.splitlines():
        narrator.say(line)
    elapsed_ms = elapsed_ns(status) / 1e6
    narrator.step(f"{elapsed_ms:.1f} ms from /job/start to /job/complete")


def elapsed_ns(status: str) -> int:
    """Return the nanoseconds between the two timestamps that `/job/status` answers.

    Raises:
        EphemeraError: they are not two, or not in their order.
    """
    try:
        started, completed = map(_nanoseconds, status.splitlines())
    except ValueError as error:
        raise EphemeraError(f"/job/status did not answer two timestamps: {status!r}") from error
    if completed < started:
        raise EphemeraError(f"the job was complete before it was started: {status!r}")
    return completed - started


def _nanoseconds(line: str) -> int:
    """Read `23-11-2026 16:34:33.123456789 UTC`."""
    second, _, rest = line.partition(".")
    fraction, _, zone = rest.partition(" ")
    if zone != "UTC" or len(fraction) != 9:
        raise ValueError(line)
    moment = time.strptime(second, "%d-%m-%Y %H:%M:%S")
    return calendar.timegm(moment) * 1_000_000_000 + int(fraction)


async def _get(browser: httpx2.AsyncClient, url: str) -> str:
    try:
        answer = await browser.get(url)
    except httpx2.HTTPError as error:
        raise EphemeraError(f"GET {url} was not answered: {error}") from error
    if answer.status_code != 200:
        raise EphemeraError(f"GET {url} was answered {answer.status_code}: {answer.text[:200]}")
    return answer.text
