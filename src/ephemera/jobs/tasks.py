"""Declaring what jobs run: `@task` for Python functions, `command` for programs.

Every module that declares a task imports this one, inside machines too, so it imports little:
the store and the supervisor come with the first `enqueue()`, and `typing` only to type checkers.
"""

from __future__ import annotations

from ephemera.errors import ConfigError
from ephemera.jobs.options import Options, check_options, reference

TYPE_CHECKING = False
if not TYPE_CHECKING:
    from ephemera.jobs.untyped import Generic, P, R, overload
else:
    from collections.abc import Callable, Sequence
    from typing import Generic, ParamSpec, TypeVar, Unpack, overload

    from ephemera.jobs.job import Job

    P = ParamSpec("P")
    R = TypeVar("R")


class Task(Generic[P, R]):
    """A function that can be given a machine of its own.

    Calling it calls the function, here and now. `enqueue` takes the same arguments.
    """

    def __init__(self, function: Callable[P, R], options: Options) -> None:
        if isinstance(function, Task):
            raise ConfigError(
                f"{function!r} is a task already: it cannot have the options of two",
                hint="give all options to one @task(...)",
            )
        _wrap(self, function)  # at first: a decorator between two tasks brings the inner one's
        self._function = function
        self._options = check_options(options)
        self._reference = reference(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Task {self._reference[0]}:{self._reference[1]}>"

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Return a durable job that will call the function on a machine of its own.

        Arguments travel as JSON: tuples arrive as lists. Not repeat-safe: every call makes
        another job.

        Raises:
            ConfigError: the arguments do not fit the function or are not JSON, or the job
                store cannot be used. Nothing was stored.
        """
        from ephemera.jobs.job import enqueue_task

        return enqueue_task(self._function, self._reference, self._options, args, kwargs)


def _wrap(task: Task[P, R], function: Callable[P, R]) -> None:
    """Do what `functools.update_wrapper` does: importing that takes as long as all of this."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(task, name, getattr(function, name, None))
    task.__dict__.update(getattr(function, "__dict__", {}), __wrapped__=function)


class Command:
    """A program that can be given a machine of its own."""

    def __init__(self, argv: Sequence[str], options: Options) -> None:
        from ephemera.jobs.arguments import check_command

        self._argv = check_command(argv)
        self._options = check_options(options)

    def __repr__(self) -> str:
        return f"<Command {list(self._argv)}>"

    def enqueue(self) -> Job:
        """Return a durable job that will run the program on a machine of its own.

        Raises:
            ConfigError: the job store cannot be used. Nothing was stored.
        """
        from ephemera.jobs.job import enqueue_command

        return enqueue_command(self._argv, self._options)


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(**options: Unpack[Options]) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(
    function: Callable[P, R] | None = None, /, **options: Unpack[Options]
) -> Task[P, R] | Callable[[Callable[P, R]], Task[P, R]]:
    """Declare a function as a task: `@task`, or `@task(timeout=600, ...)`.

    Args:
        function: At the top level of a module, so that a machine can import it.
        options: The fields of `ephemera.jobs.options.Options`.

    Raises:
        ConfigError: the function is a task already, or could not be imported by a machine, or an
            option is wrong.
    """
    if function is not None:
        return Task(function, options)
    return lambda declared: Task(declared, options)


def command(argv: Sequence[str], **options: Unpack[Options]) -> Command:
    """Declare a program with its arguments, to be run without a shell.

    Args:
        argv: The program and its arguments.
        options: The fields of `ephemera.jobs.options.Options`.

    Raises:
        ConfigError: not a non-empty list of texts, or an option is wrong.
    """
    return Command(argv, options)
