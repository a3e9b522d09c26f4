"""How Go writes and reads JSON, where that differs from what a specification says.

The API's server is a Go program: what it has no value for may arrive as null, its byte slices
are base64, and it finds keys whatever their case. Answers are read with the same tolerance.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, model_validator

from ephemera.wire.resource import Wire


class GoWire(Wire):
    """An answer in which null stands for the empty value, and a key's case does not matter.

    Where a key comes in both forms, such as `version` beside the older `Version`, the one in
    lower case is read and the other kept beside it.
    """

    @model_validator(mode="before")
    @classmethod
    def _as_go_reads_it(cls, said: Any) -> Any:
        if not isinstance(said, Mapping):
            return said
        fields = cls.model_fields
        found: dict[Any, Any] = {}
        for key, value in said.items():
            lower = key.lower() if isinstance(key, str) else key
            name = lower if lower in fields and lower not in said else key
            if value is not None or name not in fields:
                found[name] = value
        return found


def _to_bytes(value: Any) -> Any:
    """Return the bytes that base64 text or an array of numbers stands for."""
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("it is not base64") from error
    if isinstance(value, list):
        # `bytes` takes `True` for 1, and says nothing of which item is wrong.
        if not all(type(item) is int and 0 <= item < 256 for item in value):
            raise ValueError("an item of it is not a byte")
        return bytes(value)
    return value


def to_base64(value: bytes) -> str:
    """Return bytes as they travel."""
    return base64.b64encode(value).decode()


#: Bytes. They travel as base64, though the specification speaks of arrays of numbers.
Blob = Annotated[
    bytes, BeforeValidator(_to_bytes), PlainSerializer(to_base64, return_type=str)
]  # fmt: skip
