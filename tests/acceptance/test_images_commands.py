"""`ephemera images`, as a user meets it."""

from __future__ import annotations

import json

import pytest

from tests import images, needs
from tests.acceptance.command_line import CommandLine
from tests.registry import Registry

CONTAINERS = ("up", "--detach", "--listen", "127.0.0.1:0", "--driver", "container")


@pytest.mark.root
@pytest.mark.crun
@needs.root
@needs.crun
@needs.registry
def test_an_image_is_pulled_seen_and_thrown_away(ephemera: CommandLine, registry: Registry) -> None:
    built = images.build(images.layer(images.file("it", b"x" * 1_500_000)))
    reference = registry.push("commands", built)
    ephemera(*CONTAINERS)
    pulled = ephemera("images", "pull", reference)
    assert pulled.stdout == f"{reference}@{built.digest}\n"
    assert pulled.stderr.startswith(f"Pulling container image {reference}\nSuccessfully prepared")
    (listed,) = json.loads(ephemera("images", "list", "--json").stdout)
    assert (listed["reference"], listed["size_bytes"]) == (reference, 1_500_000)
    shown = ephemera("images", "list").stdout
    assert reference in shown
    assert "1.5 MB" in shown
    pruned = ephemera("images", "prune")
    assert pruned.stdout == f"removed {reference}@{built.digest}\n"
    assert pruned.stderr == "1 layer removed, 1.5 MB freed\n"
    assert ephemera("images", "list", "--json").stdout == "[]\n"
    missing = ephemera("images", "pull", f"{registry.address}/none", code=1)
    assert f"error: there is no image {registry.address}/none:latest" in missing.stderr
    assert "hint: " in missing.stderr


def test_where_there_are_no_images_it_says_which_driver_has_them(ephemera: CommandLine) -> None:
    ephemera("up", "--detach", "--listen", "127.0.0.1:0")
    assert "use 'container' instead" in ephemera("images", "list", code=1).stderr
