"""What every resource of the Machines API has in common: the model they are made from.

Fields that we do not know are kept (`extra="allow"`), so that reading a machine's config,
changing one value and writing it back never drops a setting that Fly added since. Types are
strict, as Fly's Go server is: `"cpus": "2"` is an error, not two.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from ephemera.wire.durations import parse_duration


def _check_duration(value: str | int | float) -> str | int | float:
    parse_duration(value)
    return value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


#: Fly's server writes a word that was not given as an empty text: Go's own word for nothing.
NONE_IF_EMPTY = BeforeValidator(_none_if_empty)

#: A Go duration string, seconds, or nanoseconds; kept as it was sent.
Duration = Annotated[str | int | float, AfterValidator(_check_duration)]


class Wire(BaseModel):
    """The base of every resource: strict about types, unknown fields kept."""

    # There are nearly a hundred of these and a program uses a few: each is made ready when it is
    # used first, which takes a fifth off the time to import them.
    model_config = ConfigDict(extra="allow", strict=True, defer_build=True)
