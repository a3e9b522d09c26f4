"""App secrets: variables in the environment of an app's machines that nobody can read back.

A machine has the secrets of the moment in which it was created or updated last. Each change
makes a new version of them, which `min_secrets_version` of those calls can wait for.
"""

from __future__ import annotations

from collections.abc import Mapping

from ephemera.client.call import Call, app_path, encode, pairs, reader, segment
from ephemera.client.given import mapping
from ephemera.client.messages import Answer
from ephemera.wire.secrets import (
    AppSecret,
    AppSecrets,
    SecretChange,
    SecretRemoval,
    SecretsChange,
)


def list_(
    app: str, *, min_version: int | None = None, show_secrets: bool = False
) -> Call[list[AppSecret]]:
    """Return the secrets of an app: their names and digests.

    Args:
        min_version: Of what a change has returned: do not answer with anything older.
        show_secrets: Also their values, where the token may see them.
    """

    def read(answer: Answer) -> list[AppSecret]:
        return AppSecrets.model_validate_json(answer.body).secrets

    return Call(
        doing=f"listing the secrets of app {app!r}",
        method="GET",
        path=app_path(app, "/secrets"),
        query=pairs(min_version=min_version, show_secrets=show_secrets),
        read=read,
        repeatable=True,
    )


def update(app: str, values: Mapping[str, str | None]) -> Call[SecretsChange]:
    """Set and remove several secrets at once. Safe to repeat.

    Args:
        values: By name; None removes a secret. Those that are not named stay as they are.

    Source: https://fly.io/docs/machines/api/
    """
    doing = f"changing the secrets of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=app_path(app, "/secrets"),
        body=encode(doing, {"values": mapping("a change of secrets", values)}),
        read=reader(SecretsChange),
        repeatable=True,
    )


def get(
    app: str, name: str, *, min_version: int | None = None, show_secrets: bool = False
) -> Call[AppSecret]:
    """Return a secret: its name and digest.

    Args:
        min_version: As for `list`.
        show_secrets: As for `list`.

    Raises:
        NotFound: there is no such secret, or no such app.
    """
    return Call(
        doing=f"getting secret {name!r} of app {app!r}",
        method="GET",
        path=_path(app, name),
        query=pairs(min_version=min_version, show_secrets=show_secrets),
        read=reader(AppSecret),
        repeatable=True,
    )


def set_(app: str, name: str, value: str) -> Call[SecretChange]:
    """Set a secret. Safe to repeat."""
    doing = f"setting secret {name!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=_path(app, name),
        body=encode(doing, {"value": value}),
        read=reader(SecretChange),
        repeatable=True,
    )


def delete(app: str, name: str) -> Call[SecretRemoval]:
    """Remove a secret.

    Raises:
        NotFound: there is no such secret; after a lost answer it may have been this very call.
    """
    return Call(
        doing=f"removing secret {name!r} of app {app!r}",
        method="DELETE",
        path=_path(app, name),
        read=reader(SecretRemoval),
        repeatable=True,
    )


def _path(app: str, name: str) -> str:
    return app_path(app, "/secrets/" + segment("a secret's name", name))
