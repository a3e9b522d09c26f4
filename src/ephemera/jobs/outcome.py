"""How a job ended, and why: one truthful cause, decided by a pure function.

Three witnesses are heard: the machine's exit event, the last report of its runner, and what we
ourselves had asked for. They contradict each other at times: a task that was told to stop may
have returned its value just before. `decide` is the one place that weighs them, in this order:

1. What the task itself said: a result is a success, whatever came after it.
2. That the machine ran out of memory.
3. What we asked for, if it is what ended the program.
4. That the machine is gone or never ran; else the signal or the exit code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from signal import Signals
from typing import Any, Literal

#: The exit codes that shells and `execvp` use for a program that could not be executed.
_NOT_EXECUTED = frozenset({126, 127})
#: Of what a machine says about its end.
_LINE_MAX_CHARS = 1_000
#: The signals with which a stop ends a program: ours, the API's default, and the last resort.
_STOP_SIGNALS = frozenset({Signals.SIGTERM, Signals.SIGINT, Signals.SIGKILL})


class Cause(StrEnum):
    """Why a job ended. Every ended job has exactly one."""

    #: The task returned, or the command exited with 0.
    SUCCEEDED = "succeeded"
    #: The program exited with another code than 0.
    FAILED = "failed"
    #: The task raised an exception.
    RAISED = "raised"
    #: A signal ended the program that we did not ask for.
    SIGNALLED = "signalled"
    #: The machine ran out of memory.
    OOM_KILLED = "oom_killed"
    #: It ran, or waited for its machine to start, longer than it was allowed to.
    TIMED_OUT = "timed_out"
    #: Somebody cancelled it.
    CANCELLED = "cancelled"
    #: The machine, or the host under it, went away.
    LOST = "lost"
    #: There was no room for the machine.
    NO_CAPACITY = "no_capacity"
    #: The image does not exist or cannot be used.
    IMAGE_UNAVAILABLE = "image_unavailable"
    #: The machine could not be made, or its program could not be started.
    BOOT_FAILED = "boot_failed"
    #: The task's program ended by itself and told neither a result nor an error.
    NO_REPORT = "no_report"


class Asked(StrEnum):
    """Why we asked a machine to stop."""

    CANCEL = "cancel"
    #: It ran longer than `timeout`.
    TIMEOUT = "timeout"
    #: It was not started within `start_timeout`.
    START_TIMEOUT = "start_timeout"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a machine was found at its end."""

    #: `exited`: its program ran to an end. `failed`: it could not be started. `gone`: the
    #: machine does not exist any more, or nobody saw how it ended.
    how: Literal["exited", "failed", "gone"]
    #: Of the program; None where it did not run to an end.
    exit_code: int | None = None
    #: The signal that ended it; None where none did.
    signal: int | None = None
    oom_killed: bool = False
    #: The machine ended because somebody asked it to stop.
    requested_stop: bool = False
    #: What the API said about it; often empty.
    error: str = ""
    #: The API's own word for why it could not be started, such as `image_unavailable`.
    code: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The last thing a runner said about its task."""

    #: `result`: it returned. `error`: it raised. `exit`: it called `sys.exit`.
    kind: Literal["result", "error", "exit"]
    value: Any = None
    error_type: str = ""
    message: str = ""
    traceback: str = ""
    exit_code: int | None = None
    #: What the runner had been told when the task ended: nothing, to stop, or that its own
    #: deadline is over.
    interrupted: Literal["", "stop", "deadline"] = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    Attributes:
        cause: Why, in one word.
        message: Why, in one line for people.
        value: What the task returned; None for a command.
        exit_code: Of the program; None where no machine ran to an end.
        signal: The signal that ended it; None where none did.
        error_type: The name of the exception's class, where the task raised.
        remote_traceback: The traceback from the machine, where the task raised.
    """

    cause: Cause
    message: str
    value: Any = None
    exit_code: int | None = None
    signal: int | None = None
    error_type: str = ""
    remote_traceback: str = ""

    @property
    def ok(self) -> bool:
        """Whether the job succeeded."""
        return self.cause is Cause.SUCCEEDED

    def __str__(self) -> str:
        """Say it in one line: the cause, and what it does not say itself."""
        return self.cause if self.message == self.cause else f"{self.cause}: {self.message}"

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Outcome:
        """Return the outcome that `dataclasses.asdict` made `stored` from."""
        return cls(**{**stored, "cause": Cause(stored["cause"])})


def decide(
    ending: Ending,
    report: Report | None,
    asked: Asked | None,
    *,
    is_task: bool,
) -> Outcome:
    """Return the one outcome that the witnesses add up to.

    Args:
        ending: How the machine ended.
        report: The last word of the runner; None for commands, and where none came.
        asked: Why we had asked the machine to stop; None where we had not.
        is_task: Whether a runner was to report; the exit code alone decides for commands.
    """
    if report is not None:
        return _from_report(ending, report, asked)
    forced = _from_memory(ending) or _from_asking(ending, asked) or _from_outside(ending)
    if forced is not None:
        return forced
    return _from_silence(ending) if is_task else _from_exit_code(ending)


def _from_report(ending: Ending, report: Report, asked: Asked | None) -> Outcome:
    left_by_itself = report.kind == "exit" and not report.exit_code and not report.interrupted
    if report.kind == "result" or left_by_itself:
        return Outcome(Cause.SUCCEEDED, "succeeded", value=report.value, exit_code=0)
    cause, message = _cause_of_report(report, asked)
    return Outcome(
        cause,
        message,
        exit_code=report.exit_code if report.exit_code is not None else ending.exit_code,
        signal=ending.signal,
        error_type=report.error_type,
        remote_traceback=report.traceback,
    )


def _cause_of_report(report: Report, asked: Asked | None) -> tuple[Cause, str]:
    if report.interrupted == "deadline":
        return Cause.TIMED_OUT, _ASKED_MESSAGE[Asked.TIMEOUT]
    if report.interrupted == "stop":
        if asked is None:
            return Cause.SIGNALLED, "the machine was stopped by somebody else"
        return _ASKED_CAUSE[asked], _ASKED_MESSAGE[asked]
    said = f": {report.message}" if report.message else ""
    if report.kind == "exit":
        return Cause.FAILED, _one_line(f"the task exited with code {report.exit_code}{said}")
    return Cause.RAISED, _one_line(f"the task raised {report.error_type}{said}")


def _one_line(text: str) -> str:
    """Return what a machine said as one line that is safe in a log. The traceback has all of it."""
    words = "".join(one if one.isprintable() else " " for one in text).split()
    line = " ".join(words)
    return line if len(line) <= _LINE_MAX_CHARS else f"{line[:_LINE_MAX_CHARS]} ..."


#: What is said of a machine that was not started within `start_timeout`.
NOT_STARTED = "its machine was not started within its start_timeout"

_ASKED_CAUSE = {
    Asked.CANCEL: Cause.CANCELLED,
    Asked.TIMEOUT: Cause.TIMED_OUT,
    Asked.START_TIMEOUT: Cause.TIMED_OUT,
}
_ASKED_MESSAGE = {
    Asked.CANCEL: "cancelled",
    Asked.TIMEOUT: "ran longer than its timeout",
    Asked.START_TIMEOUT: NOT_STARTED,
}


def _from_memory(ending: Ending) -> Outcome | None:
    if not ending.oom_killed:
        return None
    return _bare(Cause.OOM_KILLED, "the machine ran out of memory", ending)


def _from_asking(ending: Ending, asked: Asked | None) -> Outcome | None:
    """Tell whether what we asked for is what ended it."""
    if asked is None:
        return None
    ended_by_it = ending.how != "exited" or ending.requested_stop or ending.signal in _STOP_SIGNALS
    return _bare(_ASKED_CAUSE[asked], _ASKED_MESSAGE[asked], ending) if ended_by_it else None


def _from_outside(ending: Ending) -> Outcome | None:
    """Hear an end that was not the program's own doing."""
    said = f": {ending.error}" if ending.error else ""
    if ending.how == "failed":
        no_image = ending.code == Cause.IMAGE_UNAVAILABLE
        cause = Cause.IMAGE_UNAVAILABLE if no_image else Cause.BOOT_FAILED
        return _bare(cause, f"the machine could not be started{said}", ending)
    if ending.how == "gone" or ending.exit_code == -1:
        return _bare(Cause.LOST, f"the machine is gone{said}", ending)
    if ending.signal is not None:
        named = signal_name(ending.signal)
        return _bare(Cause.SIGNALLED, f"the program was ended by {named}{said}", ending)
    return None


def _from_silence(ending: Ending) -> Outcome:
    """Judge a task whose program ended by itself and told no result."""
    code = ending.exit_code
    if code in _NOT_EXECUTED:
        said = ending.error or f"the program exited with code {code}"
        return _bare(Cause.BOOT_FAILED, f"the runner could not be started: {said}", ending)
    message = f"the program exited with code {code} and told neither a result nor an error"
    return _bare(Cause.NO_REPORT, message, ending)


def _from_exit_code(ending: Ending) -> Outcome:
    """Judge a command whose program ended by itself."""
    if ending.exit_code == 0:
        return _bare(Cause.SUCCEEDED, "succeeded", ending)
    if ending.exit_code in _NOT_EXECUTED and ending.error:
        return _bare(Cause.BOOT_FAILED, ending.error, ending)
    return _bare(Cause.FAILED, f"the command exited with code {ending.exit_code}", ending)


def _bare(cause: Cause, message: str, ending: Ending) -> Outcome:
    return Outcome(cause, message, exit_code=ending.exit_code, signal=ending.signal)


def signal_name(number: int) -> str:
    """Return `SIGKILL` for 9; `signal 99` for a number that has no name here."""
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
