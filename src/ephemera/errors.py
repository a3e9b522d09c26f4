"""Every exception that Ephemera raises on purpose.

```
EphemeraError                 .hint
├─ ConfigError                a setting is missing or wrong; nothing was sent
├─ ApiError                   the API answered no      .status .code .request_id
│  ├─ Unauthorized            401, 403
│  ├─ NotFound                404
│  ├─ WaitTimeout             408
│  ├─ Conflict                409; 422 where an app's name is taken
│  ├─ WrongState              412
│  ├─ NoCapacity              400, 403, 409, 412, 422, told by text or code
│  ├─ Invalid                 400, 413, 422 and every other 4xx
│  ├─ RateLimited             429                      .retry_after_s
│  └─ ServerFault             5xx, or an answer that cannot be read
├─ NoAnswer                   sent, no reply: it may have been applied
│  └─ Unreachable             never sent: nobody listens there
├─ JobError                   raised by Job.result()   .job_id .machine_id .cause .log_tail
│  ├─ JobFailed               the program failed or could not start    .exit_code .remote_traceback
│  ├─ JobTimedOut
│  ├─ JobCancelled
│  ├─ OutOfMemory
│  └─ MachineLost             there was no room for the machine, or its host is gone
├─ StoreError                 the job store cannot be read or written now
├─ DriverError                a machine could not be made
│  ├─ Unsupported             the driver cannot do what was asked
│  ├─ ImageUnavailable
│  └─ BootFailed
│     └─ StartCancelled       it was told to end before its program was there
├─ BuildError                 the image of an app could not be built or pushed
├─ DeployError                a release was not made; the one before it serves   .machine_id
│  └─ AppBusy                 somebody else makes one, and holds the machines
├─ IllegalMove                the state table has no such move          .state .event
└─ Stale                      somebody else moved it first
```

The class says whose fault it is, the message says what happened with the names in it, and
`hint` says what to try next. No message ever holds a token or a header.
"""

from __future__ import annotations


class EphemeraError(Exception):
    """The root: catch this to catch everything that Ephemera raises on purpose.

    Args:
        message: What happened, with the names in it.
        hint: What to try next; empty where there is nothing useful to say.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(EphemeraError):
    """A setting is missing or wrong. Nothing was sent."""


class ApiError(EphemeraError):
    """The Machines API answered, and the answer is no.

    Attributes:
        status: The HTTP status.
        code: The API's own word for the kind of error, such as `name_taken`; often empty.
        request_id: The `fly-request-id` of the answer, for asking the API's operator.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str = "",
        request_id: str = "",
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.request_id = request_id

    def __str__(self) -> str:
        named = f"{self.message} [HTTP {self.status}"
        named += f", request {self.request_id}]" if self.request_id else "]"
        return f"{named} ({self.hint})" if self.hint else named


class Unauthorized(ApiError):
    """The token is missing, expired, or may not do this (401, 403)."""


class NotFound(ApiError):
    """No such app, machine, or key (404)."""


class WaitTimeout(ApiError):
    """The state was not reached in time (408). Waiting again is safe."""


class Conflict(ApiError):
    """Somebody holds the name or the lease, or wrote first (409; 422 for the name of an app)."""


class WrongState(ApiError):
    """The machine is not in a state that allows this (412)."""


class NoCapacity(ApiError):
    """There is no room for the machine here; another region may have some."""


class Invalid(ApiError):
    """The request itself is wrong; sending it again will not help."""


class RateLimited(ApiError):
    """Too many requests (429).

    Attributes:
        retry_after_s: Seconds the server asked us to wait; None where it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 429,
        code: str = "",
        request_id: str = "",
        hint: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, status=status, code=code, request_id=request_id, hint=hint)
        self.retry_after_s = retry_after_s


class ServerFault(ApiError):
    """The server failed (5xx) or answered something that cannot be read."""


class NoAnswer(EphemeraError):
    """The request was sent and no answer came: it may or may not have been applied."""


class Unreachable(NoAnswer):
    """No connection could be made, so nothing was applied. Sending again is safe."""


class JobError(EphemeraError):
    """A job ended badly.

    Attributes:
        job_id: The job.
        machine_id: The machine of its last attempt; empty if none was made.
        cause: The one word for why it ended, see `ephemera.jobs.outcome.Cause`.
        log_tail: The last log lines of the machine, oldest first.
    """

    def __init__(
        self,
        message: str,
        *,
        job_id: str,
        machine_id: str = "",
        cause: str,
        log_tail: tuple[str, ...] = (),
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.job_id = job_id
        self.machine_id = machine_id
        self.cause = cause
        self.log_tail = log_tail

    def __str__(self) -> str:
        said = super().__str__()
        lines = self._shown_log_tail()
        if not lines:
            return said
        return said + "\nlast log lines:\n" + "\n".join(f"  {line}" for line in lines)

    def _shown_log_tail(self) -> tuple[str, ...]:
        return self.log_tail


class JobFailed(JobError):
    """The program failed, or could not be started.

    An exit code, an exception, a signal, no report, an image or a command that is not there.

    Attributes:
        exit_code: The exit code, where the machine ran to an end.
        remote_traceback: The traceback from the machine, where a task raised; else empty.
    """

    def __init__(
        self,
        message: str,
        *,
        job_id: str,
        machine_id: str = "",
        cause: str,
        log_tail: tuple[str, ...] = (),
        hint: str = "",
        exit_code: int | None = None,
        remote_traceback: str = "",
    ) -> None:
        super().__init__(
            message,
            job_id=job_id,
            machine_id=machine_id,
            cause=cause,
            log_tail=log_tail,
            hint=hint,
        )
        self.exit_code = exit_code
        self.remote_traceback = remote_traceback

    def __str__(self) -> str:
        said = super().__str__()
        return f"{said}\n{self.remote_traceback}" if self.remote_traceback else said

    def _shown_log_tail(self) -> tuple[str, ...]:
        """Leave out the traceback, which the machine printed too."""
        traceback = self.remote_traceback.splitlines()
        count = len(traceback)
        for begin in range(len(self.log_tail) - count + 1) if count else ():
            if list(self.log_tail[begin : begin + count]) == traceback:
                return self.log_tail[:begin] + self.log_tail[begin + count :]
        return self.log_tail


class JobTimedOut(JobError):
    """The job ran, or waited to start, longer than it was allowed to."""


class JobCancelled(JobError):
    """Somebody cancelled the job."""


class OutOfMemory(JobError):
    """The machine needed more memory than it was given."""


class MachineLost(JobError):
    """There was no room for the machine, or it was lost under the job."""


class StoreError(EphemeraError):
    """The job store cannot be read or written now: it is full, locked, or gone.

    Nothing was written. Trying again is safe.
    """


class DriverError(EphemeraError):
    """A driver could not make a machine."""


class Unsupported(DriverError):
    """The driver cannot do what was asked; nothing was tried."""


class ImageUnavailable(DriverError):
    """The image does not exist, or this driver cannot use it."""


class BootFailed(DriverError):
    """The machine was made, but its program could not be started."""


class StartCancelled(BootFailed):
    """The machine was told to end while it waited to be started, so its program was not."""


class BuildError(EphemeraError):
    """The image of an app could not be built or pushed. Nothing was deployed; repeating is safe."""


class DeployError(EphemeraError):
    """A release of an app was not made, and what was done of it was undone.

    Attributes:
        machine_id: The machine that it failed on; empty where it is none.
    """

    def __init__(self, message: str, *, hint: str = "", machine_id: str = "") -> None:
        super().__init__(message, hint=hint)
        self.machine_id = machine_id


class AppBusy(DeployError):
    """Somebody else makes a release of the app, and holds its machines. Nothing was done."""


class IllegalMove(EphemeraError):
    """The state table has no move for this event.

    Attributes:
        state: Where it is.
        event: What was asked or seen.
    """

    def __init__(self, state: str, event: str) -> None:
        super().__init__(f"no move from '{state}' on '{event}'")
        self.state = state
        self.event = event


class Stale(EphemeraError):
    """The record was changed by somebody else since it was read. Read it and decide again."""
