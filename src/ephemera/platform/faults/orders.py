"""What faults can be asked for, and what of it could never be meant."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ephemera.platform.faults import presets
from ephemera.platform.states import SETTLED, State

#: The longest delay; a longer one would only leave requests behind.
_DELAY_MAX_S = 300.0
#: States that a machine leaves by itself, so that it can be stuck there.
_STUCK_STATES = frozenset(State) - SETTLED


class _Exact(BaseModel):
    """Refuses fields it does not know: a mistyped one would make a fault match everything."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Match(_Exact):
    """What a fault is about; whatever is not given matches anything."""

    #: Of a request, such as `POST`.
    method: str | None = None
    #: Of a request, with a name in braces for any one piece: `/v1/apps/{app_name}/machines`.
    path: str | None = None
    #: The name of the app that a request or a machine belongs to.
    app: str | None = None
    #: A machine's id.
    machine: str | None = None
    #: The image that a machine boots from.
    image: str | None = None


class Error(_Exact):
    """The request is answered with an error, and not applied."""

    kind: Literal["error"]
    #: One of `presets.PRESETS`; then nothing else is needed.
    preset: str | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    body: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_or_the_other(self) -> Error:
        if (self.preset is None) == (self.status is None):
            raise ValueError("an error has either a preset or a status")
        if self.preset is not None and self.preset not in presets.PRESETS:
            raise ValueError(f"preset {self.preset[:40]!r} is not one of {presets.names()}")
        return self

    @property
    def answer(self) -> presets.Answer:
        """What is answered."""
        if self.preset is not None:
            return presets.PRESETS[self.preset].answer
        return presets.Answer(self.status or 500, self.body, self.headers)


class Delay(_Exact):
    """The request is applied later, on the platform's clock."""

    kind: Literal["delay"]
    seconds: Annotated[float, Field(gt=0, le=_DELAY_MAX_S, strict=False)]


class LostAnswer(_Exact):
    """The request is applied; its connection ends without an answer."""

    kind: Literal["lost_answer"]


class Dropped(_Exact):
    """The connection ends, and the request is not applied."""

    kind: Literal["dropped"]


class NoImage(_Exact):
    """The machine's image cannot be had."""

    kind: Literal["no_image"]


class BootFailure(_Exact):
    """The machine cannot be started."""

    kind: Literal["boot_failure"]
    why: str = "a test wants it so"


class Stuck(_Exact):
    """The machine stays in a state that it would leave by itself, until the fault is removed."""

    kind: Literal["stuck"]
    state: Annotated[State, Field(strict=False)]

    @model_validator(mode="after")
    def _is_left_by_itself(self) -> Stuck:
        if self.state not in _STUCK_STATES:
            names = ", ".join(sorted(_STUCK_STATES))
            raise ValueError(f"a machine can be stuck in one of {names}, not in '{self.state}'")
        return self


#: What can happen to a request.
OfRequests = Error | Delay | LostAnswer | Dropped
#: What can happen to the boot of a machine.
OfBoots = NoImage | BootFailure
#: What a fault does.
Effect = OfRequests | OfBoots | Stuck


class Order(_Exact):
    """A fault as it is asked for."""

    match: Match = Match()
    effect: Annotated[Effect, Field(discriminator="kind")]
    #: How many times it strikes; for ever, if it does not say.
    times: Annotated[int, Field(ge=1)] | None = None
    #: How many it lets pass first.
    after: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _can_strike(self) -> Order:
        of_request = isinstance(self.effect, OfRequests)
        if not of_request and (self.match.method or self.match.path):
            raise ValueError(f"{self.effect.kind} is about machines: match has no method and path")
        if not isinstance(self.effect, OfBoots) and self.match.image:
            raise ValueError(f"{self.effect.kind} is not about boots: match has no image")
        if isinstance(self.effect, Stuck) and (self.times or self.after):
            raise ValueError("stuck has neither times nor after: it lasts until it is removed")
        return self
