"""What the definitions of the endpoints refuse before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from ephemera.client.call import segment
from ephemera.client.calls import (
    apps,
    certificates,
    creation,
    ips,
    leases,
    lifecycle,
    logs,
    machines,
    metadata,
    orgs,
    secret_keys,
    secrets,
    tokens,
    volumes,
)
from ephemera.errors import ConfigError

BAD_NAMES = ["", "a/b", "/", "..", ".", "../x", "a..b", "a\nb", "a\x00b", "a\x7fb"]

#: One call for each place where a name becomes part of a path.
PATHS: dict[str, Callable[[str], object]] = {
    "app of apps.create": apps.create,
    "app of apps.get": apps.get,
    "app of apps.delete": apps.delete,
    "app of create": lambda name: creation.create(name, config={"image": "host"}),
    "app of list": machines.list_,
    "app of get": lambda name: machines.get(name, "m1"),
    "machine of get": lambda name: machines.get("demo", name),
    "machine of wait": lambda name: lifecycle.wait("demo", name),
    "machine of exec": lambda name: machines.exec_("demo", name, ["true"]),
    "machine of metadata": lambda name: metadata.metadata("demo", name),
    "key of get_metadata": lambda name: metadata.get_metadata("demo", "m1", name),
    "key of set_metadata": lambda name: metadata.set_metadata("demo", "m1", name, "v"),
    "machine of lease": lambda name: leases.get("demo", name),
    "app of logs": logs.page,
    "app of volumes": volumes.list_,
    "volume of get": lambda name: volumes.get("demo", name),
    "volume of extend": lambda name: volumes.extend("demo", name, size_gb=2),
    "app of secrets": secrets.list_,
    "name of a secret": lambda name: secrets.set_("demo", name, "x"),
    "app of secret keys": secret_keys.list_,
    "name of a secret key": lambda name: secret_keys.sign("demo", name, b"x"),
    "app of certificates": certificates.page,
    "host name of a certificate": lambda name: certificates.check("demo", name),
    "app of addresses": ips.list_,
    "address of release": lambda name: ips.release("demo", name),
    "app of a token": tokens.create_deploy,
    "organisation of machines": orgs.machines_page,
    "organisation of volumes": orgs.volumes_page,
}


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("where", PATHS)
def test_a_name_that_could_reach_another_resource_is_refused(where: str, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be"):
        PATHS[where](name)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [("demo-1", "demo-1"), ("a b", "a%20b"), ("a?b#c", "a%3Fb%23c"), ("%2e%2e", "%252e%252e")],
)
def test_other_names_are_quoted(name: str, quoted: str) -> None:
    assert segment("an app's name", name) == quoted


@pytest.mark.parametrize("nonce", ["", "a\r\nx-evil: 1", "a\nb", "ü"])
def test_a_nonce_that_is_no_header_is_refused(nonce: str) -> None:
    with pytest.raises(ConfigError) as caught:
        leases.release("demo", "m1", nonce)
    assert nonce == "" or nonce not in str(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        {"image": "host", "env": {"A": {1, 2}}},
        {"image": "host", "guest": {"cpus": math.nan}},
        {"image": object()},
        {"image": b"host"},
    ],
)
def test_a_config_that_is_not_json_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="not JSON"):
        creation.create("demo", config=config)


@pytest.mark.parametrize("timeout", [-1, math.nan, math.inf])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(ConfigError):
        lifecycle.stop("demo", "m1", timeout=timeout)


@pytest.mark.parametrize("expiry", [0, -1, math.nan, math.inf])
def test_a_token_that_could_never_be_used_or_never_expires_is_refused(expiry: float) -> None:
    with pytest.raises(ConfigError, match="expir"):
        tokens.create_deploy("demo", expiry=expiry)


def test_a_secret_that_is_no_text_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="not JSON") as caught:
        secrets.set_("demo", "A", b"s3cret")  # type: ignore[arg-type]  # as callers do
    assert "s3cret" not in str(caught.value)


def test_a_command_in_one_string_is_refused() -> None:
    with pytest.raises(ConfigError, match="list of arguments, not a str"):
        machines.exec_("demo", "m1", "rm -rf /tmp/x")
