"""How much each machine has to do: seats that are held, and since when it has had none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence


class Loads:
    """The seats of all machines. Nothing of it is stored: a server that starts has no connection.

    Args:
        clock: Returns the time.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        #: By machine and internal port: limits are a service's own.
        self._seats: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._totals: defaultdict[str, int] = defaultdict(int)
        self._busy_at: dict[str, float] = {}

    def of_service(self, machine_id: str, internal_port: int) -> int:
        """Return how many seats of a service are held."""
        return self._seats.get((machine_id, internal_port), 0)

    def of_services(self, services: Sequence[tuple[str, int]]) -> list[int]:
        """Return the same of several services, (machine, internal port), at once."""
        held = self._seats.get
        return [held(service, 0) for service in services]

    def of_machine(self, machine_id: str) -> int:
        """Return how many seats of a machine are held."""
        return self._totals.get(machine_id, 0)

    def take(self, machine_id: str, internal_port: int) -> None:
        """Hold one more."""
        self._seats[machine_id, internal_port] += 1
        self._totals[machine_id] += 1

    def give_back(self, machine_id: str, internal_port: int) -> None:
        """Hold one less. The time since when the machine is idle begins anew."""
        key = (machine_id, internal_port)
        self._seats[key] -= 1
        if not self._seats[key]:
            del self._seats[key]
        self._totals[machine_id] -= 1
        if not self._totals[machine_id]:
            del self._totals[machine_id]
        if machine_id in self._busy_at:  # else it was destroyed meanwhile
            self.touch(machine_id)

    def touch(self, machine_id: str) -> None:
        """Note that a machine has had something to do until now."""
        self._busy_at[machine_id] = self._clock()

    def idle_s(self, machine_id: str) -> float:
        """Return for how many seconds a machine has had nothing to do, as far as is known."""
        if self.of_machine(machine_id):
            return 0.0
        now = self._clock()
        return now - self._busy_at.setdefault(machine_id, now)

    def forget(self, machine_id: str) -> None:
        """Forget since when a machine is idle. Repeating is safe."""
        self._busy_at.pop(machine_id, None)
