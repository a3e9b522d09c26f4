"""Which controllers groups of machines can have on this computer. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from ephemera.platform.drivers.container.cgroups import CONTROLLERS, Tree


def usable(tree: Tree, *, is_given: bool = False) -> dict[str, str]:
    """Return the folder below which groups with a controller can be made, for each that can.

    Nothing is made: a folder that may be written to is believed. In version 2 a controller has
    also to be enabled for the groups below, which a group with processes of its own may not do
    unless it is the root of all.

    Args:
        is_given: Whether a server moves those processes to a leaf when it is started.
    """
    places = {one: tree.roots.get(one) or tree.roots.get("", "") for one in CONTROLLERS}
    found = {one: place for one, place in places.items() if place and os.access(place, os.W_OK)}
    if tree.version != 2 or not found:
        return found
    group = Path(tree.roots[""])
    names = set((group / "cgroup.controllers").read_text().split())
    is_root = not (group / "cgroup.type").exists()
    if not (is_root or is_given) and (group / "cgroup.procs").read_text().strip():
        names &= set((group / "cgroup.subtree_control").read_text().split())
    names.add("freezer")  # every group has it
    return {one: place for one, place in found.items() if one in names}
