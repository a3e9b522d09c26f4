"""Making a release: the app's machines are held, signals are heard, and it is written down.

Everything that changes an app's machines goes this way: a deploy, a rollback, new secrets, another
size. So each is a release, each can be interrupted, and there is one at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass

from ephemera.client import Client
from ephemera.deploy.release import archive, history, labels, mending, ports
from ephemera.deploy.release.claims import Claims
from ephemera.deploy.release.doing import Doing
from ephemera.deploy.release.history import Release, Status
from ephemera.deploy.release.image import Image
from ephemera.deploy.release.interruption import Interrupted, Interruption, heard
from ephemera.deploy.release.leasing import Leases
from ephemera.deploy.release.plan import Plan
from ephemera.deploy.release.rollout import Rollout
from ephemera.deploy.release.telling import Tell
from ephemera.deploy.release.watching import Watch
from ephemera.errors import AppBusy, EphemeraError, Unauthorized
from ephemera.home import home
from ephemera.wire.models import Machine

#: Between two tries to get the leases that another deploy holds.
_ASK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How a release is made, whatever it is."""

    tell: Tell
    #: Seconds that each machine has to become well; None for what is usual, see `watching`.
    patience_s: float | None = None
    #: Wait for another release of the app that is under way, instead of giving up.
    waits: bool = False


@contextmanager
def making(client: Client, app: str, what: str, manner: Manner) -> Iterator[Making]:
    """Hold an app while a release of it is made. What an earlier one left behind is put right.

    Args:
        what: What is being done, for others: `a deploy`.

    Raises:
        AppBusy: somebody else holds it.
        NotFound: there is no such app.
    """
    with (
        heard() as interruption,
        Leases(client, app, what) as leases,
        closing(Claims(home() / "ports.lock")) as claims,
    ):
        _take(leases, interruption, manner)
        made = Making(client, app, leases, interruption, manner, claims)
        made.mend()
        yield made


def _take(leases: Leases, interruption: Interruption, manner: Manner) -> None:
    said = False
    while True:
        try:
            leases.take_all()
            return
        except AppBusy as error:
            if not manner.waits:
                raise
            if not said:
                manner.tell(f"{error.message}: waiting for its end")
            said = True
        with interruption.allowed():
            time.sleep(_ASK_AGAIN_S)


class Making:
    """A release that is being made. Made by `making`.

    Attributes:
        leases: The leases of the app's machines.
        interruption: The signals that have come.
    """

    def __init__(
        self,
        client: Client,
        app: str,
        leases: Leases,
        interruption: Interruption,
        manner: Manner,
        claims: Claims,
    ) -> None:
        self.leases = leases
        self.interruption = interruption
        self._client = client
        self._app = app
        self._manner = manner
        self._claims = claims
        self._all = client.machines.list(app)
        #: Read before anything is put right: what is destroyed then knows the most.
        self._history = history.read(self._all)

    @property
    def present(self) -> list[Machine]:
        """The machines that the app's releases are made of."""
        return labels.managed(self._all)

    @property
    def names(self) -> set[str]:
        """The names that are taken, also by machines of jobs."""
        return {one.name for one in self._all}

    @property
    def history(self) -> list[Release]:
        """The releases before, newest first."""
        return self._history

    def begin(self, image: Image, description: str) -> Release:
        """Return the release that is made now."""
        return history.begun(self._history, self.present, image, description)

    def stamp(self, release: Release) -> dict[str, str]:
        """Return the labels of the machines of a release that is not made yet."""
        return {**release.stamp(), labels.RELEASES: self._written(release, "running")}

    def free_ports(self) -> Iterator[int]:
        """Yield ports of this computer that no machine has; nobody is asked before the first."""
        others = [labels.of(one) for one in self._all]
        with suppress(Unauthorized):  # the token is for this app alone
            found = self._client.orgs.machines()
            others += [one.config.metadata for one in found if one.config and one.config.metadata]
        had = {port for one in others if (port := ports.of(one))}
        yield from ports.free(had, self._claims.take)

    def roll_out(self, release: Release, plan: Plan) -> None:
        """Make a release, or have everything as it was.

        Raises:
            EphemeraError: why it could not be made.
            Interrupted: somebody did not want it any more.
        """
        try:
            self.carry_out(release.id, plan)
        except (EphemeraError, Interrupted):
            self._write(release, "failed")
            raise
        self._write(release, "succeeded")

    def carry_out(self, release_id: str, plan: Plan) -> None:
        """Carry a plan out that makes no release, or have everything as it was.

        Args:
            release_id: Of the release that its new machines are labelled with.

        Raises:
            EphemeraError: why it could not be.
            Interrupted: somebody did not want it any more.
        """
        self._rollout(release_id).run(plan)

    def remember(self, release: Release) -> None:
        """Have the releases known when no machine of one is left.

        Args:
            release: The last one. Where it cannot be had, that is said: it is no reason to keep
                machines that nobody wants.
        """
        said = {**release.stamp(), labels.RELEASES: history.written(self._history)}
        try:
            archive.keep(self._client, self._app, self._all, release.image, said)
        except EphemeraError as error:
            self._manner.tell(f"the history of releases will be lost: {error.message}")
        else:
            self._manner.tell(f"machine {archive.NAME}, which does not run, keeps the history")

    def mend(self) -> None:
        """Put right what a release left half done whose process was killed."""
        halves = mending.half_done(self.present)
        if not halves:
            return
        self._manner.tell("a release before this one was cut short: putting it right")
        versions = {one.id: self._client.machines.versions(self._app, one.id) for one in halves}
        self._rollout("").finish(mending.mend(self.present, versions))
        self._all = self._client.machines.list(self._app)

    def look_again(self) -> None:
        """See how the machines are now: the proxy starts those at rest, whoever holds them.

        Those that were made meanwhile are not looked at: nobody leased them for us, and two first
        deploys at once find out about each other because both want the same names.
        """
        now = {one.id: one for one in self._client.machines.list(self._app)}
        self._all = [now.get(one.id, one) for one in self._all]

    def _rollout(self, release_id: str) -> Rollout:
        watch = Watch(self._client, self._app, self.interruption.allowed, self._manner.patience_s)
        doing = Doing(
            self._client,
            self._app,
            release_id,
            self.present,
            self.leases,
            watch,
            self._manner.tell,
        )
        return Rollout(doing, self._manner.tell)

    def _written(self, release: Release, status: Status) -> str:
        return history.written(history.ended(self._history, release, status))

    def _write(self, release: Release, status: Status) -> None:
        """Write down on every machine what became of a release. It is so, written or not."""
        said = {labels.RELEASES: self._written(release, status)}
        try:
            found = self._client.machines.list(self._app)
            machines = labels.managed(found)
            for machine in (*machines, *archive.among(found)):
                self._client.machines.update_metadata(self._app, machine.id, said)
            if machines:
                archive.discard(self._client, self._app, found)
        except EphemeraError as error:
            self._manner.tell(f"that release v{release.version} {status} is not written: {error}")
