"""The machine that an attempt asks for, as the Machines API wants it described."""

from __future__ import annotations

import base64
import functools
import json
import marshal
import sys
from importlib import resources
from importlib.util import MAGIC_NUMBER, source_hash
from urllib.parse import urlsplit

from ephemera.jobs.records import AttemptRecord, Identity, Work
from ephemera.jobs.tokens import attempt_token
from ephemera.wire.config import Mount
from ephemera.wire.models import File, Guest, Init, MachineConfig, Restart, StopConfig

#: Where the runner's files are. The process driver puts them elsewhere and replaces arguments
#: that equal one of these paths, so they are never part of a longer argument.
RUNNER_PATH = "/.ephemera/runner.py"
PAYLOAD_PATH = "/.ephemera/payload.json"
#: Between the signal and the kill.
STOP_GRACE_S = 10

#: The metadata by which a machine is found again.
STORE_KEY, JOB_KEY, ATTEMPT_KEY = "ephemera_store", "ephemera_job", "ephemera_attempt"


def config_of(
    work: Work, attempt: AttemptRecord, identity: Identity, *, patience_s: float
) -> MachineConfig:
    """Return the config of the attempt's machine.

    Args:
        patience_s: How long the runner tries to deliver its last report.
    """
    return MachineConfig(
        image=work.image,
        env=_environment(work),
        guest=Guest(**work.guest),
        init=Init(exec=_program(work)),
        # the API's own default runs a failing job up to ten times
        restart=Restart(policy="no"),
        auto_destroy=False,
        stop_config=StopConfig(signal="SIGTERM", timeout=f"{STOP_GRACE_S}s"),
        files=_files(work, attempt, identity, patience_s),
        mounts=_mounts(work),
        metadata={
            STORE_KEY: identity.id,
            JOB_KEY: attempt.job_id,
            ATTEMPT_KEY: attempt.id,
        },
    )


def python_of(work: Work) -> str:
    """Return the Python interpreter that runs tasks in the machine."""
    return work.host.python if work.host else "python3"


def _program(work: Work) -> list[str]:
    if work.command:
        return list(work.command)
    return [python_of(work), RUNNER_PATH, PAYLOAD_PATH]


def _environment(work: Work) -> dict[str, str]:
    if work.host is None:
        return work.env
    return {**work.host.env, "EPHEMERA_WORKDIR": work.host.folder, **work.env}


def _mounts(work: Work) -> list[Mount] | None:
    volume, _, path = work.volume.partition(":")
    return [Mount(volume=volume, path=path)] if volume else None


def _files(
    work: Work, attempt: AttemptRecord, identity: Identity, patience_s: float
) -> list[File] | None:
    if work.task is None:
        return None
    payload = {
        "task": {
            "module": work.task.module,
            "qualname": work.task.qualname,
            "file": work.task.file,
        },
        "args": work.args,
        "kwargs": work.kwargs,
        "path": work.host.path if work.host else (),
        "listener": _listener(attempt, attempt_token(identity.secret, attempt.id)),
        "timeout_s": work.timeout_s,
        "patience_s": patience_s,
    }
    encoded = base64.b64encode(json.dumps(payload, allow_nan=False).encode()).decode()
    return [
        File(guest_path=RUNNER_PATH, raw_value=_runner(python_of(work)), mode=0o644),
        File(guest_path=PAYLOAD_PATH, raw_value=encoded, mode=0o600),
    ]


def _listener(attempt: AttemptRecord, token: str) -> dict[str, object] | None:
    """Return the report URL taken apart: the runner would need longer for it than for a task."""
    if not attempt.report_url:
        return None
    url = urlsplit(attempt.report_url)
    tls = url.scheme == "https"
    port = url.port or (443 if tls else 80)
    return {"host": url.hostname, "port": port, "path": url.path, "tls": tls, "token": token}


@functools.lru_cache(maxsize=16)
def _runner(python: str) -> str:
    """Return the runner for an interpreter: compiled where it is our own.

    Compiling it takes as long as all else that it does for a short task. An interpreter tells
    from a file's first bytes that it was compiled, whatever the file is called.
    """
    source = resources.files("ephemera.runner").joinpath("runner.py").read_bytes()
    program = _compiled(source) if python == sys.executable else source
    return base64.b64encode(program).decode()


def _compiled(source: bytes) -> bytes:
    """Return what Python would keep in a `.pyc` file (PEP 552, without a source to check)."""
    code = compile(source, RUNNER_PATH, "exec", dont_inherit=True, optimize=2)
    unchecked = (1).to_bytes(4, "little")
    return MAGIC_NUMBER + unchecked + source_hash(source) + marshal.dumps(code)
