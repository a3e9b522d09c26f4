"""Which machines take requests now, worked out once for each change of any of them.

Most requests may go to any machine, and most find one that has room. For those nothing is asked of
a machine but how much it has to do, so an app of a hundred machines answers about as fast as one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import count
from operator import truediv
from typing import NamedTuple

from ephemera.platform.proxy.fleet import Post
from ephemera.platform.proxy.load import Loads


class _Machines(NamedTuple):
    """Those that are ready, oldest first, and what is looked up of them for each request."""

    posts: Sequence[Post]
    services: Sequence[tuple[str, int]]
    soft_limits: Sequence[int]
    #: Whether all limits are the same, so that who has the least to do is the least loaded.
    are_alike: bool

    def least_loaded(self, loads: Sequence[int]) -> int:
        """Return the number of the least loaded, the first of several; there must be one."""
        least = min(loads)
        if self.are_alike or not least:
            return loads.index(least)
        return min(zip(map(truediv, loads, self.soft_limits), loads, count(), strict=False))[2]


class Ready:
    """The machines that are ready, as far as was worked out since the last change.

    Args:
        is_ready: Says whether the machine of a post takes requests now, whatever its load.
    """

    def __init__(self, loads: Loads, is_ready: Callable[[Post], bool]) -> None:
        self._loads = loads
        self._is_ready = is_ready
        self._known: dict[tuple[str, Hashable], _Machines] = {}

    def changed(self) -> None:
        """Forget what was worked out: a machine is otherwise than it was. Repeating is safe."""
        self._known.clear()

    def least_loaded(self, app_id: str, where: Hashable, there: Sequence[Post]) -> Post | None:
        """Return where a request goes that may go anywhere: as `choose` has it for the same.

        Args:
            where: What tells these posts from others of the app.
            there: All posts that there are.

        Returns:
            None where no machine that is ready is below its soft limit: then others count too.
        """
        machines = self._known.get((app_id, where))
        if machines is None:
            machines = self._known[app_id, where] = self._worked_out(there)
        if not machines.posts:
            return None
        loads = self._loads.of_services(machines.services)
        number = machines.least_loaded(loads)
        has_room = loads[number] < machines.soft_limits[number]
        return machines.posts[number] if has_room else None

    def _worked_out(self, there: Sequence[Post]) -> _Machines:
        posts = [post for post in there if self._is_ready(post)]
        services = [(post.record.id, post.offer.internal_port) for post in posts]
        limits = [post.offer.soft_limit for post in posts]
        return _Machines(posts, services, limits, len(set(limits)) <= 1)
