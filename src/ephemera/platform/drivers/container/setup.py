"""What a server tells the zygote once, so that every monitor knows it. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ephemera.platform.drivers.container.bundle import Filter
from ephemera.platform.drivers.container.cgroups import Tree
from ephemera.platform.drivers.container.places import Places


class Setup(NamedTuple):
    """What is the same for all machines of a platform."""

    home: str
    #: What names this platform among all of this computer.
    name: str
    #: The path of `crun`.
    crun: str
    #: Whether machines have user namespaces, and so users of their own.
    own_ids: bool
    #: Of the filter of system calls, see `Filter`.
    filter_compiled: str
    filter_section: Mapping[str, Any]
    #: Where other file systems of this computer are that machines with image `host` see.
    beside: Sequence[str]
    #: What no machine with image `host` may see.
    hidden: Sequence[str]
    #: The router's network namespace, as a descriptor of the zygote; -1 where machines have no
    #: network.
    router: int = -1
    #: Whether all of this is in a user namespace: its root has rights over that, and no more.
    user_namespace: bool = False
    #: Whether programs are started by system calls of ours, and not by `crun`.
    launches: bool = False

    @property
    def places(self) -> Places:
        """Where things are."""
        return Places(self.home, self.user_namespace)

    @property
    def filter(self) -> Filter:
        """The filter of system calls."""
        return Filter(self.filter_compiled, self.filter_section)


def cgroup_tree(name: str) -> Tree:
    """Return where the cgroups of this platform's machines are; none where they cannot be made."""
    found = Tree.find()
    try:
        return found.prepare(name) if found.version else found
    except OSError:
        return Tree(0, {})
