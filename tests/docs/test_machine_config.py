"""The page about the config of a machine has every field, and says what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from ephemera.platform.configs import checks, lives, programs, services, unsupported
from ephemera.wire.config import MachineConfig
from tests.docs.markdown import DOCS, page

PAGE = page(DOCS / "reference" / "machine-config.md")


def _rows() -> dict[str, str]:
    """Return what is done with each field, by its path."""
    cells = [line.split("|") for line in PAGE.text.splitlines() if line.startswith("| `")]
    return {row[1].strip(" `"): row[2].strip() for row in cells}


def _paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the path of every field; none within what is refused as a whole."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        yield path
        if path in unsupported.BY_NO_DRIVER:
            continue
        for inner, steps in _models(field.annotation):
            yield from _paths(inner, f"{path}{steps}.")


def _models(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    """Yield the models within a type, with how they are reached: `[]`, `.NAME` or directly."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ""
    origin = get_origin(annotation)
    steps = "[]" if origin is list else ".NAME" if origin is dict else ""
    for inner in get_args(annotation):
        yield from ((model, steps + further) for model, further in _models(inner))


def test_every_field_is_on_the_page_and_no_other() -> None:
    assert set(_rows()) == set(_paths(MachineConfig))


def test_what_becomes_of_a_field_is_said_in_one_word() -> None:
    words = {done.split()[0] for done in _rows().values()}
    assert words == {"Honoured", "Stored", "Refused"}


@pytest.mark.parametrize("path", unsupported.BY_NO_DRIVER)
def test_what_no_driver_can_do_is_said_to_be_refused(path: str) -> None:
    assert _rows()[path] == "Refused"


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    text = PAGE.text
    assert f"at most {checks.CHECKS_MAX}" in text
    assert (
        f"| {checks.INTERVAL_MIN_S:g} s to {checks.INTERVAL_MAX_S / 3600:g} h, "
        f"default {checks.INTERVAL_S:g} s" in text
    )
    assert (
        f"| {checks.TIMEOUT_MIN_S:g} s to {checks.TIMEOUT_MAX_S:g} s, "
        f"default {checks.TIMEOUT_S:g} s" in text
    )
    assert f"Up to {checks.GRACE_MAX_S / 3600:g} h" in text
    stop_s, stop_max_s = programs.STOP_TIMEOUT_S, programs.STOP_TIMEOUT_MAX_S
    assert f"Default {stop_s:g} s, at most {stop_max_s:g} s" in text
    assert f"Up to {programs.PROCESSES_MAX}." in text
    assert f"| `services` | Honoured | At most {services.SERVICES_MAX}" in text
    for words in (services.HANDLERS, programs.FIELD_REFS[:-1]):
        assert ", ".join(f"`{word}`" for word in words) in text
    for word in lives.SCHEDULES:
        assert word.removesuffix("ly").replace("dai", "day") in text
