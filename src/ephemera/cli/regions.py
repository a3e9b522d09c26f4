"""`ephemera regions`: where machines can run."""

from __future__ import annotations

from ephemera.cli.options import Json
from ephemera.cli.screen import say_json, say_table


def regions(as_json: Json = False) -> None:
    """List the regions in which machines can run; the nearest is marked."""
    from ephemera.client import Client

    with Client() as client:
        found = client.platform.regions()
    if as_json:
        shown = [one.model_dump(mode="json") for one in found.regions]
        say_json([{**one, "nearest": one["code"] == found.nearest} for one in shown])
    else:
        say_table(
            ("CODE", "NAME", "PART OF THE WORLD", "NEAREST"),
            [
                (one.code, one.name, one.geo_region, "yes" if one.code == found.nearest else "")
                for one in found.regions
            ],
        )
