"""The page about fly.toml has every key that is read, section by section, and no other."""

from __future__ import annotations

import re

import pytest

from ephemera.deploy.flytoml import model, sections, services
from tests.docs.markdown import DOCS, page

PAGE = page(DOCS / "reference" / "fly-toml.md")
SECTIONS: dict[str, type[sections.Section]] = {
    "[build]": sections.Build,
    "[deploy]": sections.Deploy,
    "[http_service]": services.HttpService,
    "[[services]]": services.Service,
    "[[services.ports]]": services.OuterPort,
    "[http_service.concurrency]": services.Concurrency,
    "[[http_service.tcp_checks]]": services.ServiceCheck,
    "[[http_service.checks]]": services.HttpCheck,
    "[checks.NAME]": services.TopCheck,
    "[[mounts]]": sections.Mount,
    "[[vm]]": sections.Vm,
    "[[files]]": sections.File,
    "[[statics]]": sections.Static,
    "[[metrics]]": sections.Metrics,
    "[[restart]]": sections.Restart,
    "[experimental]": sections.Experimental,
}


def _keys(section: type[sections.Section]) -> set[str]:
    fields = section.model_fields.items()
    return {str(field.validation_alias or name) for name, field in fields}


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_of_a_section_is_on_the_page_and_no_other(heading: str) -> None:
    assert PAGE.first_column(f"## {heading}") == _keys(SECTIONS[heading])


def test_every_key_of_the_file_is_on_the_page() -> None:
    said = set(re.findall(r"`(\w+)`", PAGE.section("## The app")))
    assert _keys(model.FlyToml) <= said
