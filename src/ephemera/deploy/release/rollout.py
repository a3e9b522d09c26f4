"""From the machines that there are to those that are planned, or back.

```
 step ─► step ─► step ─► ... ─► the end: what is old goes, and cannot come back
           └─ error, Ctrl-C ─► undone, last first ─► as before
                                 └─ killed ─► the next one reads the labels: `mending`
```
"""

from __future__ import annotations

from collections.abc import Sequence

from ephemera.deploy.release.doing import Doing
from ephemera.deploy.release.interruption import Interrupted
from ephemera.deploy.release.plan import Plan
from ephemera.deploy.release.steps import Step, undo
from ephemera.deploy.release.telling import Tell, line
from ephemera.errors import DeployError, EphemeraError


class Rollout:
    """Carries plans out."""

    def __init__(self, doing: Doing, tell: Tell) -> None:
        self._doing = doing
        self._tell = tell

    def run(self, plan: Plan) -> None:
        """Carry a plan out; where that cannot be, undo what was done of it.

        Raises:
            EphemeraError: why it could not be.
            Interrupted: somebody did not want it any more.
        """
        done: list[Step] = []
        try:
            for step in plan.steps:
                done.append(step)  # before it is done: nobody knows how far one came that failed
                self._doing.do(step)
        except (EphemeraError, Interrupted) as error:
            if isinstance(error, DeployError) and error.machine_id:
                self._doing.show_log(error.machine_id)
            self._tell(_why_back(error))
            self.go_back(done)
            raise
        self.finish(plan.ending)

    def go_back(self, done: Sequence[Step]) -> None:
        """Undo steps, the last one first. What cannot be undone is said, and left."""
        left = [back for step in reversed(done) for back in undo(step)]
        for step in left:
            try:
                self._doing.do(step)
            except Interrupted:
                self._tell("left half done: the next deploy puts it right")
                return
            except EphemeraError as error:
                self._tell(f"could not be undone: {error.message}")

    def finish(self, steps: Sequence[Step]) -> None:
        """Do steps that stand for themselves. What fails is said, and tried by the next release."""
        for step in steps:
            try:
                self._doing.do(step)
            except EphemeraError as error:
                self._tell(f"{line(step)} failed, and is done by the next deploy: {error.message}")


def _why_back(error: BaseException) -> str:
    if isinstance(error, DeployError):
        # What its checks say may be a page; it is shown once, where this ends.
        return f"{error.message.partition(': ')[0]}: going back to how it was"
    if isinstance(error, EphemeraError):
        return f"{error.message}: going back to how it was"
    return "interrupted: going back to how it was; once more leaves everything as it is"
