"""What a caller may hand to the client by mistake: told at once, by name, and nothing is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from ephemera.client.calls import (
    apps,
    creation,
    leases,
    lifecycle,
    logs,
    machines,
    metadata,
    orgs,
    platform,
    secret_keys,
    secrets,
    tokens,
)
from ephemera.errors import ConfigError

#: With `Any`, so that no type checker sees that it is wrong.
WRONG: list[tuple[str, Callable[[Any], object], list[Any]]] = [
    ("an app's name", apps.get, [None, 5, b"x", ["a"], "", "a/b", "..", "\x00", "\ud800"]),
    ("a machine's id", lambda given: machines.get("demo", given), [None, 5, b"m", ""]),
    ("nonce", lambda given: lifecycle.start("demo", "m1", nonce=given), [5, b"n", "", "é", "\n"]),
    ("a region", lambda given: machines.list_("demo", region=given), [5, b"ams", ["ams", None]]),
    ("a region", lambda given: platform.placements(region=given), [5, [b"ams"]]),
    ("a state", lambda given: orgs.machines_page(state=given), [5, [None]]),
    ("a state", lambda given: lifecycle.wait("demo", "m1", given), [None, 5, [None]]),
    ("a config", lambda given: creation.create("demo", config=given), [None, 5, "host", [1]]),
    ("a config", lambda given: machines.update("demo", "m1", config=given), [None, 5, "host"]),
    (
        "metadata",
        lambda given: creation.create("demo", config={"image": "host", "metadata": given}),
        [5, "a", ["a"]],
    ),
    (
        "a region",
        lambda given: creation.create("demo", config={}, region=given),
        [5, b"ams", ["ams", 5]],
    ),
    ("metadata", lambda given: machines.list_("demo", metadata=given), [5, "a", ["a"]]),
    ("metadata", lambda given: metadata.replace_metadata("demo", "m1", given), [None, 5, ["a"]]),
    ("secrets", lambda given: secrets.update("demo", given), [None, 5, "A=b"]),
    ("list of arguments", lambda given: machines.exec_("demo", "m1", given), [None, 5, b"x"]),
    (
        "timeout",
        lambda given: machines.exec_("demo", "m1", ["true"], timeout=given),
        [None, "5", -1],
    ),
    ("timeout", lambda given: lifecycle.stop("demo", "m1", timeout=given), ["5", math.inf, -1]),
    (
        "timeout",
        lambda given: lifecycle.wait("demo", "m1", timeout=given),
        [None, "5", True, -1, math.nan],
    ),
    ("ttl", lambda given: leases.hold("demo", "m1", ttl=given), [None, "5", 0]),
    ("wait", lambda given: logs.page("demo", wait=given), [None, "5", -1]),
    ("expir", lambda given: tokens.create_deploy("demo", expiry=given), ["5", [], 10**400]),
    ("a type", lambda given: secret_keys.list_("demo", types=given), [5, [None]]),
    ("plaintext", lambda given: secret_keys.encrypt("demo", "k", given), [None, "text", 5]),
    ("signature", lambda given: secret_keys.verify("demo", "k", b"x", given), [None, "text", 5]),
]


@pytest.mark.parametrize(
    ("named", "make", "given"),
    [(named, make, given) for named, make, several in WRONG for given in several],
)
def test_what_is_of_the_wrong_kind_is_refused_and_named(
    named: str, make: Callable[[Any], object], given: Any
) -> None:
    with pytest.raises(ConfigError, match=named):
        make(given)


def test_a_key_that_is_no_bytes_is_not_shown() -> None:
    wrong: Any = "pk_123"
    with pytest.raises(ConfigError) as caught:
        secret_keys.set_("demo", "k", type="hs256", value=wrong)
    assert "pk_123" not in str(caught.value)


def test_a_long_wrong_value_is_not_shown_in_full() -> None:
    with pytest.raises(ConfigError) as caught:
        apps.get("x/" * 5000)
    assert len(str(caught.value)) < 400


def test_one_text_and_several_are_both_taken() -> None:
    assert dict(machines.list_("demo", region="ams,fra").query) == {"region": "ams,fra"}
    assert dict(machines.list_("demo", region=("ams", "fra")).query) == {"region": "ams,fra"}
