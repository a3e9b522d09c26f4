"""What is said where the API does not make a machine of a release."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from ephemera.deploy.release.command import ReleaseCommand
from ephemera.deploy.release.doing import Doing
from ephemera.deploy.release.plan import Plan
from ephemera.deploy.release.rollout import Rollout
from ephemera.deploy.release.steps import Create, Verify
from ephemera.errors import AppBusy, Conflict, DeployError
from tests.unit.deploy.release.machines import config

TAKEN = 'already_exists: unique machine name violation, machine ID 1 already exists with name "w"'
#: A conflict, and no word of a name.
OTHER = "aborted: volume vol_1 is attached to another machine"

Making = Callable[[Any], None]


def refusing(text: str) -> Any:
    """Return a client that makes no machine, for this reason."""

    def create(*_: object, **__: object) -> NoReturn:
        raise Conflict(text, status=409)

    return SimpleNamespace(machines=SimpleNamespace(create=create, list=lambda *_, **__: []))


def a_machine(client: Any) -> None:
    nobody: Any = SimpleNamespace(nonce=lambda _: None)
    Doing(client, "shop", "1", [], nobody, nobody, print).do(Create("w", config()))


def a_release_command(client: Any) -> None:
    nobody: Any = SimpleNamespace(allowed=nullcontext)
    with ReleaseCommand(client, "shop", nobody, nobody, print).run(config(), None, 1):
        pytest.fail("it ran")


@pytest.mark.parametrize("make", [a_machine, a_release_command])
def test_a_name_that_is_taken_is_another_deploy(make: Making) -> None:
    with pytest.raises(AppBusy):
        make(refusing(TAKEN))


def test_nothing_is_said_to_be_undone_that_was_never_done() -> None:
    said: list[str] = []
    nobody: Any = SimpleNamespace(nonce=lambda _: None)
    doing = Doing(refusing(OTHER), "shop", "1", [], nobody, nobody, said.append)
    create = Create("w", config())
    with pytest.raises(Conflict):
        Rollout(doing, said.append).run(Plan((create,), ()))
    assert said == ["creating machine w", f"{OTHER}: going back to how it was"]


def test_what_a_check_says_is_shown_once_at_the_end() -> None:
    said: list[str] = []

    def do(_: object) -> NoReturn:
        raise DeployError("machine w does not pass its checks: 'up' says: a page", machine_id="")

    doing: Any = SimpleNamespace(do=do)
    with pytest.raises(DeployError, match="a page"):
        Rollout(doing, said.append).run(Plan((Verify("w"),), ()))
    assert said == ["machine w does not pass its checks: going back to how it was"]


@pytest.mark.parametrize("make", [a_machine, a_release_command])
def test_any_other_conflict_is_told_as_it_is(make: Making) -> None:
    with pytest.raises(Conflict, match="vol_1 is attached to another machine"):
        make(refusing(OTHER))
