"""`ephemera images`: the container images on this computer."""

from __future__ import annotations

from typing import Annotated

import typer

from ephemera.cli.options import Json
from ephemera.cli.screen import counted, megabytes, note, say, say_json, say_table

group = typer.Typer(no_args_is_help=True, help="Container images: what is here, and what it costs.")

Reference = Annotated[
    str, typer.Argument(metavar="IMAGE", help="Such as `busybox` or `ghcr.io/me/app:1`.")
]


@group.command("list")
def list_(as_json: Json = False) -> None:
    """List the images that are here."""
    from ephemera.client.own.images import OwnImages

    with OwnImages() as images:
        found = images.list()
    if as_json:
        say_json([one.model_dump(mode="json") for one in found])
    else:
        say_table(
            ("IMAGE", "DIGEST", "SIZE", "PULLED"),
            [
                (one.reference, _short(one.digest), megabytes(one.size_bytes), one.pulled_at)
                for one in found
            ],
        )


@group.command()
def pull(image: Reference, as_json: Json = False) -> None:
    """Have an image as its registry has it now, and show how far that is.

    Machines have their images pulled by themselves: this is for having one beforehand, or the
    newest one of a tag at once.
    """
    from ephemera.client.own.images import OwnImages

    with OwnImages() as images:
        pulled = images.pull(image, lambda _, message: note(message))
    if as_json:
        say_json(pulled.model_dump(mode="json"))
    else:
        say(f"{pulled.reference}@{pulled.digest}")


@group.command()
def prune(as_json: Json = False) -> None:
    """Remove the images that no machine has, and the layers that only they have.

    Of what was pushed to the platform itself, the last ten tags of each app stay.
    """
    from ephemera.client.own.images import OwnImages

    with OwnImages() as images:
        pruned = images.prune()
    if as_json:
        say_json(pruned.model_dump(mode="json"))
        return
    for image in (*pruned.images, *pruned.tags):
        say(f"removed {image}")
    layers = counted(pruned.layers, "layer")
    note(f"{layers} removed, {megabytes(pruned.freed_bytes)} freed")


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]
