"""The files of a config: their paths, and where their contents come from."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from itertools import pairwise

from ephemera.errors import BootFailed
from ephemera.platform import refusals
from ephemera.platform.configs.fields import absolute_path, text, whole, wrong
from ephemera.platform.drivers.base import GuestFile
from ephemera.wire.config import MachineConfig
from ephemera.wire.programs import File

_MODE = 0o644
_MODE_MAX = 0o7777


def check(files: Sequence[File]) -> None:
    """Check paths, modes and contents; those of secrets are known when a machine boots."""
    seen: set[str] = set()
    for number, file in enumerate(files):
        where = f"config.files[{number}]"
        _check_contents(where, file)
        whole(f"{where}.mode", file.mode, 0, _MODE_MAX)
        absolute_path(f"{where}.guest_path", file.guest_path)
        if file.guest_path in seen:
            raise wrong(f"{where}.guest_path", file.guest_path, "is there twice")
        seen.add(file.guest_path)
    for folder, path in pairwise(sorted(f"{path}/" for path in seen)):
        if path.startswith(folder):  # in this order what is in a folder comes right behind it
            why = f"cannot be a file beside '{path[:-1]}'"
            raise wrong("config.files guest_path", folder[:-1], why)


def guest_files(config: MachineConfig, secrets: Mapping[str, str]) -> list[GuestFile]:
    """Return the files that are to be in the machine.

    Args:
        secrets: Those of the app, by name.

    Raises:
        BootFailed: there is no such secret, or it is not the base64 of a file.
    """
    return [
        GuestFile(
            file.guest_path,
            _contents(f"config.files[{number}]", file, secrets),
            _MODE if file.mode is None else file.mode,
        )
        for number, file in enumerate(config.files or ())
    ]


def _check_contents(where: str, file: File) -> None:
    given = [file.raw_value, file.secret_name or None, file.image_config or None]
    if sum(one is not None for one in given) != 1:
        raise refusals.invalid(f"{where} needs one of raw_value, secret_name and image_config")
    if file.image_config:
        raise refusals.unsupported(f"{where}.image_config on this platform")
    text(f"{where}.secret_name", file.secret_name)
    if file.raw_value is not None:
        try:
            _decoded(file.raw_value)
        except ValueError as error:
            raise refusals.invalid(f"{where}.raw_value is not base64: {error}") from None


def _contents(where: str, file: File, secrets: Mapping[str, str]) -> bytes:
    if not file.secret_name:
        return _decoded(file.raw_value or "")
    if file.secret_name not in secrets:
        raise BootFailed(f"{where}.secret_name: there is no secret '{file.secret_name}'")
    try:
        return _decoded(secrets[file.secret_name])
    except ValueError:  # whose text could hold a piece of the secret
        said = f"{where}.secret_name: secret '{file.secret_name}' is not base64"
        raise BootFailed(said) from None


def _decoded(raw_value: str) -> bytes:
    """Return what base64 stands for.

    Raises:
        ValueError: it is not base64.
    """
    try:
        return base64.b64decode(raw_value, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
