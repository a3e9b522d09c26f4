"""Answers as Go writes them: null, keys in any case, bytes as base64."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ephemera.wire.places import Regions
from ephemera.wire.secrets import AppSecret, Decrypted, SecretKey, SecretRemoval
from ephemera.wire.tokens import DeployToken, GrantedAccess, VerifiedToken
from ephemera.wire.volumes import Volume


def test_null_is_the_empty_value() -> None:
    found = Volume.model_validate_json('{"id": "v", "name": null, "blocks": null}')
    assert (found.name, found.blocks, found.attached_machine_id) == ("", 0, None)


def test_an_unknown_field_is_kept_also_where_it_is_null() -> None:
    found = Volume.model_validate({"id": "v", "fly_added": None, "FlyAdded": 1})
    assert found.model_dump(exclude_unset=True) == {"id": "v", "fly_added": None, "FlyAdded": 1}


def test_the_case_of_a_key_does_not_matter() -> None:
    found = Regions.model_validate({"Regions": [{"Code": "ams", "NAME": "Amsterdam"}]})
    assert (found.regions[0].code, found.regions[0].name) == ("ams", "Amsterdam")


def test_of_two_spellings_the_one_in_lower_case_is_read() -> None:
    assert SecretRemoval.model_validate({"Version": 1, "version": 2}).version == 2
    assert SecretRemoval.model_validate({"version": 2, "Version": 1}).version == 2
    assert SecretRemoval.model_validate({"Version": 1}).version == 1


def test_a_key_that_is_in_mixed_case_on_the_wire_is_found() -> None:
    assert GrantedAccess.model_validate({"sourceApp": "demo"}).sourceApp == "demo"


@pytest.mark.parametrize("sent", ["AP8=", [0, 255]])
def test_bytes_are_read_from_base64_and_from_numbers(sent: Any) -> None:
    found = SecretKey.model_validate({"public_key": sent})
    assert found.public_key == b"\x00\xff"
    assert found.model_dump(exclude_unset=True) == {"public_key": "AP8="}


@pytest.mark.parametrize("sent", ["?", "AP8", "ü", [256], [-1], [True], ["a"], [1.5], 7, {}])
def test_what_is_not_bytes_is_refused(sent: Any) -> None:
    with pytest.raises(ValidationError):
        SecretKey.model_validate({"public_key": sent})


@pytest.mark.parametrize("sent", [[], "text", 7])
def test_what_is_not_an_object_is_refused(sent: Any) -> None:
    with pytest.raises(ValidationError):
        Volume.model_validate(sent)


def test_types_are_strict_all_the_same() -> None:
    with pytest.raises(ValidationError):
        Volume.model_validate({"size_gb": "3"})


def test_secrets_and_tokens_are_not_shown() -> None:
    shown = [
        AppSecret(name="A", value="s3cret"),
        Decrypted(plaintext=b"s3cret"),
        DeployToken(token="s3cret"),
        VerifiedToken(header="s3cret", permission_token=b"s3cret"),
    ]
    assert "s3cret" not in repr(shown)
    assert "s3cret" not in "".join(map(str, shown))
