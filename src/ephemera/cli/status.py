"""`ephemera status`: how the embedded platform is, and an app on it or on Fly.io."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ephemera.cli.choosing import found_app, needed_app
from ephemera.cli.options import App, ConfigFile, Json
from ephemera.cli.screen import duration, note, say, say_json, say_record, when
from ephemera.errors import NotFound
from ephemera.home import home

if TYPE_CHECKING:
    from ephemera.cli.overview import Overview
    from ephemera.cli.running import Running

#: The exit status where no platform runs, as `systemctl status` has it.
NOT_RUNNING = 3


def status(app: App = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Show whether the embedded platform runs, how it is doing, and an app if one is named.

    The app of the folder's fly.toml counts as named. The exit status is 3 if the platform does not
    run. Where the API is elsewhere, on Fly.io for example, it is about the app alone.
    """
    named = found_app(app, config)
    if _is_about_the_app_alone(named):
        _show_app(_overview(needed_app(app, config)), as_json=as_json)
        return
    folder, running = home(), _running()
    if running is None:
        _say_not_running(folder, as_json=as_json)
        raise typer.Exit(NOT_RUNNING)
    facts: dict[str, Any] = _facts(folder, running)
    shown = _overview_or_note(named, must=bool(app or config)) if named else None
    if as_json:
        say_json({**facts, "app": shown.as_json() if shown else None} if named else facts)
        return
    say_record(_described(folder, running))
    if shown:
        say("")
        shown.show()


def _is_about_the_app_alone(named: str | None) -> bool:
    """Return whether the API that other commands go to is not the platform of our folder.

    On Fly.io an app has to be named: of no platform of ours can anything be said.
    """
    from ephemera.client.place import Place

    place = Place(None, None)
    return not place.embedded and (named is not None or place.fly)


def _running() -> Running | None:
    from ephemera.cli.running import find_running

    return find_running(home())


def _overview(app: str) -> Overview:
    from ephemera.cli.overview import overview
    from ephemera.client import Client

    with Client() as client:
        return overview(client, app)


def _overview_or_note(app: str, *, must: bool) -> Overview | None:
    """Return how an app is; where it is not there yet, and need not be, say so."""
    try:
        return _overview(app)
    except NotFound:
        if must:
            raise
        note(f"app {app} is not there yet: `ephemera deploy` makes it")
        return None


def _show_app(shown: Overview, *, as_json: bool) -> None:
    if as_json:
        say_json({"app": shown.as_json()})
    else:
        shown.show()


def _say_not_running(folder: Path, *, as_json: bool) -> None:
    if as_json:
        say_json({"running": False, "home": str(folder)})
        return
    note(f"no platform runs in {folder}")
    note("hint: `ephemera up --detach` starts one, and so does the first job")


def _facts(folder: Path, running: Running) -> dict[str, Any]:
    endpoint = running.endpoint
    return {
        "running": True,
        "url": endpoint.url,
        "proxy_url": endpoint.proxy_url or None,
        "proxy_tls_url": endpoint.proxy_tls_url or None,
        "pid": endpoint.pid,
        "driver": endpoint.driver,
        "version": endpoint.version,
        "started_at": when(endpoint.started_at),
        "uptime_s": round(time.time() - endpoint.started_at, 1),
        "machines": dict(running.machines),
        "home": str(folder),
        "log": str(folder / "platform.log"),
    }


def _described(folder: Path, running: Running) -> dict[str, str]:
    endpoint = running.endpoint
    counts = (f"{count} {state}" for state, count in running.machines.items())
    uptime = duration(time.time() - endpoint.started_at)
    return {
        "url": endpoint.url,
        "proxy": " ".join(filter(None, (endpoint.proxy_url, endpoint.proxy_tls_url))),
        "process": f"{endpoint.pid}, up {uptime}",
        "driver": endpoint.driver,
        "version": endpoint.version,
        "machines": ", ".join(counts) or "none",
        "folder": str(folder),
        "log": str(folder / "platform.log"),
    }
