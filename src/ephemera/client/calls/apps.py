"""Apps: the names that machines, secrets and private networks hang on."""

from __future__ import annotations

from ephemera.client.call import Call, app_path, encode, nothing, pairs, reader
from ephemera.client.messages import Answer
from ephemera.wire.models import App, AppList


def create(
    name: str,
    *,
    org_slug: str = "personal",
    network: str | None = None,
    enable_subdomains: bool = False,
) -> Call[App]:
    """Create an app and return it.

    If the answer is lost the app is looked up, and sent again only if it is not there.

    Args:
        name: Lower-case letters, digits and dashes, under 63; unique in the whole API.
        network: A private network of its own with this name, instead of the organisation's.
        enable_subdomains: Serve names below the app's own too.

    Raises:
        Conflict: the name is taken.
        Invalid: it is not a name.

    Source: https://fly.io/docs/machines/api/apps-resource/
    """
    doing = f"creating app {name!r}"
    body = {
        "name": name,
        "org_slug": org_slug,
        "network": network,
        "enable_subdomains": enable_subdomains or None,
    }

    def read(answer: Answer) -> App:
        # The specification promises no body at all; Fly.io answers with the id alone.
        found = App.model_validate_json(answer.body or b"{}")
        return found.model_copy(update={"name": name})

    return Call(
        doing=doing,
        method="POST",
        path="/v1/apps",
        # As Fly's own client: else the app may not be known everywhere when this returns.
        query=pairs(wait=True),
        body=encode(doing, body),
        read=read,
        look=Call(
            doing=f"looking for app {name!r}",
            method="GET",
            path=app_path(name),
            read=reader(App),
            repeatable=True,
        ),
    )


def get(name: str) -> Call[App]:
    """Return an app.

    Raises:
        NotFound: there is no such app.
        Unauthorized: the token may not see it; the name may belong to somebody else (403).
    """
    return Call(
        doing=f"getting app {name!r}",
        method="GET",
        path=app_path(name),
        read=reader(App),
        repeatable=True,
    )


def list_(*, org_slug: str = "personal", app_role: str | None = None) -> Call[AppList]:
    """Return the apps of an organisation.

    Args:
        app_role: Only those with this role; ordinary apps have none.
    """
    return Call(
        doing=f"listing the apps of {org_slug!r}",
        method="GET",
        path="/v1/apps",
        query=pairs(org_slug=org_slug, app_role=app_role),
        read=reader(AppList),
        repeatable=True,
    )


def delete(name: str, *, force: bool = False) -> Call[None]:
    """Delete an app. Safe to repeat.

    Args:
        force: Also destroy its machines, whatever they are doing.

    Raises:
        NotFound: there is no such app.
    """
    return Call(
        doing=f"deleting app {name!r}",
        method="DELETE",
        path=app_path(name),
        query=pairs(force=force),
        read=nothing,
        repeatable=True,
    )
