from __future__ import annotations

from ephemera.platform.access.principal import (
    NOBODY,
    OWNER,
    joined,
    of_app_token,
    of_machine,
)

ONE = of_app_token("t1", "app-1")
TWO = of_app_token("t2", "app-2")


def test_the_owner_may_do_everything() -> None:
    assert OWNER.is_owner
    assert OWNER.may_touch("any app")


def test_a_token_for_an_app_is_for_that_app() -> None:
    assert not ONE.is_owner
    assert ONE.may_touch("app-1")
    assert not ONE.may_touch("app-2")


def test_a_machine_is_of_its_app_and_never_the_owner() -> None:
    machine = of_machine("0123456789abcd", "app-1")
    assert not machine.is_owner
    assert machine.machine == "0123456789abcd"
    assert machine.may_touch("app-1")
    assert not machine.may_touch("app-2")


def test_nobody_may_touch_nothing() -> None:
    assert not NOBODY.is_owner
    assert not NOBODY.may_touch("app-1")


def test_several_tokens_may_do_what_one_of_them_may() -> None:
    both = joined([ONE, TWO])
    assert not both.is_owner
    assert both.apps == frozenset({"app-1", "app-2"})
    assert both.token_id == "t1"
    assert joined([ONE, OWNER]) == OWNER
    assert joined([ONE]) is ONE


def test_leases_tell_the_tokens_apart() -> None:
    owners = {one.lease_owner for one in (OWNER, ONE, TWO, of_machine("m", "app-1"))}
    assert len(owners) == 4
