from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from ephemera.cli import main
from ephemera.errors import ConfigError
from ephemera.platform import __main__ as platform


def commands(group: Any, name: str = "ephemera") -> Iterator[tuple[str, Any]]:
    for word, child in group.commands.items():
        if hasattr(child, "commands"):
            yield from commands(child, f"{name} {word}")
        else:
            yield f"{name} {word}", child


EVERY = dict(commands(typer.main.get_command(main.app)))


@pytest.mark.parametrize("name", EVERY)
def test_every_command_and_every_option_explains_itself(name: str) -> None:
    assert EVERY[name].help
    for parameter in EVERY[name].params:
        explains_itself = parameter.param_type_name == "argument" and parameter.metavar
        assert explains_itself or parameter.help, parameter.name


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr("sys.argv", ["ephemera", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code


def test_an_error_of_ours_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise ConfigError("it is broken", hint="mend it")

    monkeypatch.setattr("ephemera.cli.status.home", fail)
    assert run(monkeypatch, "status") == 1
    assert capsys.readouterr().err == "error: it is broken\nhint: mend it\n"


@pytest.fixture
def _no_end_is_heard_of() -> Iterator[None]:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    signal.signal(signal.SIGCHLD, before)


def _is_heard_of() -> bool:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL and not blocked


@pytest.mark.usefixtures("_no_end_is_heard_of")
def test_the_end_of_a_process_is_heard_of_whoever_started_us(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(monkeypatch, "--version") == 0
    assert _is_heard_of()


@pytest.mark.usefixtures("_no_end_is_heard_of")
def test_so_it_is_of_a_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["ephemera.platform"])
    monkeypatch.setattr(platform, "serve", lambda *_: None)
    assert platform.main() == 0
    assert _is_heard_of()


def test_ctrl_c_ends_a_command_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ephemera.cli.status.home", interrupt)
    assert run(monkeypatch, "status") == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("arguments", [("nonsense",), ("status", "--nonsense"), ("jobs", "show")])
def test_a_wrong_call_ends_with_2(
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, *arguments) == 2
    assert "Usage: " in capsys.readouterr().err


def test_the_version_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("ephemera ")
