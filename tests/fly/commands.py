"""Every command of ours, and what becomes of it on Fly.io."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from ephemera.cli.main import app


@dataclass(frozen=True)
class Play:
    """A command that goes to Fly.io.

    Attributes:
        line: How it is called; names in braces are those of `Shop`.
        code: Its exit status.
        says: What is in its output, or in the error that it ends with.
        first: Commands that come before it, and are not looked at.
    """

    line: str
    code: int = 0
    says: str = ""
    first: tuple[str, ...] = ()


#: What goes there, in this order: one may use what those before it made.
PLAYED = [
    Play("launch {project} --name {app}-launched --yes", says="created app"),
    Play("deploy --image registry.fly.io/{app}:v2", says="fly.dev"),
    Play("open --print", says="https://{app}.fly.dev/"),
    Play("status", says="registry.fly.io/{app}:v2"),
    Play("logs --no-tail", says="playing 'run'"),
    Play("releases", says="succeeded"),
    Play("rollback 1", says="fly.dev"),
    Play("regions", says="This computer"),
    Play("scale show", says="web"),
    Play("scale count web=3", says="web"),
    Play("scale count web=2", says="web"),
    Play("scale memory 512", says="512 MB"),
    Play("scale vm shared-cpu-2x", says="web"),
    Play("secrets set A=b", says="1 secret set"),
    Play("secrets list", says="A"),
    Play("secrets import", says="1 secret set"),
    Play("secrets unset A", says="removed"),
    Play("secrets deploy", says="restarted"),
    Play("volumes create data --size 1", says="data"),
    Play("volumes list", says="data"),
    Play("volumes show {volume}", says="data"),
    Play("volumes extend {volume} --size 2", says="2 GB"),
    Play("volumes snapshots create {volume}"),
    Play("volumes snapshots list {volume}", says="STATUS"),
    Play("volumes fork {volume}", says="data"),
    Play("volumes destroy {volume} --yes", says="destroyed"),
    Play("checks list", says="NAME"),
    # the platform asks no authority: that it is asked for is what counts here
    Play("certs add {host}", code=1, says="ACME certificates are not available"),
    Play("certs list", says="HOST"),
    Play("certs show {host}", says="{host}", first=("certs add {host} {certificate}",)),
    Play("certs check {host}", says="{host}"),
    Play("certs remove {host} --yes", says="{host}"),
    Play("ips list", says="shared"),
    Play("ips allocate-v4 --shared"),
    Play("ips allocate-v6 --private", says="fdaa:"),
    Play("ips release {address} --yes", says="{address}"),
    Play("tokens create deploy", says="FlyV1 "),
    Play("apps list", says="{app}"),
    Play("apps create {app}-other", says="created"),
    Play("apps destroy {app}-other --yes", says="destroyed"),
    Play("machine run --rm registry.fly.io/{app}:v1 print hello", says="hello"),
    Play("machine list", says="started"),
    Play("machine show {machine}", says="{machine}"),
    Play("machine inspect {machine}", says="{machine}"),
    Play("machine exec {machine} -- print hello", says="hello"),
    Play("ssh console -C 'print hello'", says="hello"),
    Play("machine ps {machine}", says="PID"),
    Play("machine signal {machine} USR1"),
    Play("machine restart {machine}"),
    Play("machine suspend {machine}"),
    Play("machine start {machine}"),
    Play("machine stop {machine}"),
    Play("machine destroy {machine} --force", says="destroyed"),
]

#: What is refused there, with what its hint names instead.
REFUSED = [
    Play("console -- ls", code=1, says="fly ssh console"),
    Play("machine shell {machine} -- ls", code=1, says="fly ssh console"),
    Play("machine export {machine}", code=1, says="fly ssh sftp"),
    Play("tokens list", code=1, says="fly tokens list"),
    Play("tokens revoke 0123", code=1, says="fly tokens revoke"),
    Play("apps network {app}", code=1, says="ephemera apps create"),
    Play("certs ca", code=1, says="fly.dev"),
    Play("images list", code=1, says="fly image show"),
    Play("images pull alpine", code=1, says="fly image show"),
    Play("images prune", code=1, says="fly image show"),
]

#: What is about this computer, wherever machines run.
LOCAL = {"new", "demo", "up", "down", "doctor", "auth token"}

#: What is about jobs: played by `test_jobs.py`.
JOBS = {
    "supervise",
    *(f"jobs {one}" for one in ("list", "show", "logs", "wait", "cancel", "retry")),
    "jobs reap",
    "jobs forget",
}

#: All of them make a release, as a deploy does.
RELEASES = {
    "deploy",
    "rollback",
    *(f"scale {one}" for one in ("count", "memory", "vm")),
    *(f"secrets {one}" for one in ("set", "import", "unset", "deploy")),
}


def name_of(line: str) -> str:
    """Return the command that a line calls: `scale count`."""
    words = line.split()
    return next(
        " ".join(words[:length]) for length in (3, 2, 1) if " ".join(words[:length]) in names()
    )


def names() -> set[str]:
    """Return the names of all commands."""
    return set(_leaves(typer.main.get_command(app), ()))


def _leaves(command: Any, words: tuple[str, ...]) -> Iterator[str]:
    if not hasattr(command, "commands"):
        yield " ".join(words)
        return
    for word in command.commands:
        yield from _leaves(command.commands[word], (*words, word))
