"""What is written down of secrets and secret keys: values, read from the store.

None of them shows what it has sealed when it is printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SecretRecord:
    """What a secret of an app was from a version on."""

    app_id: str
    name: str
    version: int
    #: None where it was removed with this version.
    sealed: bytes | None = field(repr=False)
    #: Empty where it was removed.
    digest: str
    created_at: float
    updated_at: float

    @property
    def bound_to(self) -> str:
        """What its value is sealed for."""
        return f"secret/{self.app_id}/{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A secret key of an app."""

    app_id: str
    name: str
    type: str
    version: int
    sealed: bytes = field(repr=False)
    #: Empty where it has no public part.
    public_key: bytes
    created_at: float
    updated_at: float

    @property
    def bound_to(self) -> str:
        """What its private part is sealed for."""
        return f"secret_key/{self.app_id}/{self.name}/{self.type}/{self.version}"
