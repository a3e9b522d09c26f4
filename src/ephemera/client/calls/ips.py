"""IP addresses: where an app is reached, and where its machines reach out from."""

from __future__ import annotations

from ephemera.client.call import Call, app_path, encode, nothing, reader, segment
from ephemera.client.messages import Answer
from ephemera.wire.addresses import AssignedIp, IpAssignment, IpAssignments, IpType


def list_(app: str) -> Call[list[IpAssignment]]:
    """Return the addresses of an app."""

    def read(answer: Answer) -> list[IpAssignment]:
        return IpAssignments.model_validate_json(answer.body).ips

    return Call(
        doing=f"listing the addresses of app {app!r}",
        method="GET",
        path=app_path(app, "/ip_assignments"),
        read=read,
        repeatable=True,
    )


def assign(
    app: str,
    type: IpType,  # noqa: A002  # the API's word
    *,
    region: str | None = None,
    network: str | None = None,
    service_name: str | None = None,
    org_slug: str | None = None,
) -> Call[AssignedIp]:
    """Give an app an address.

    Args:
        type: What for: `v4` and `v6` are the app's own, `shared_v4` is shared with other apps,
            `private_v6` is for other apps of the organisation, and `egress_v4`, `egress_v6` and
            `egress_pair` are where machines reach out from.
        region: Where it is served, or reached out from.
        network: The private network that `private_v6` is for.
        service_name: The service that it is for.
        org_slug: The organisation that `private_v6` is for.

    Raises:
        NoAnswer: it may have been given: list them. Some of them cost money.
    """
    doing = f"assigning an address to app {app!r}"
    body = {
        "type": type,
        "region": region,
        "network": network,
        "service_name": service_name,
        "org_slug": org_slug,
    }
    return Call(
        doing=doing,
        method="POST",
        path=app_path(app, "/ip_assignments"),
        body=encode(doing, body),
        read=reader(AssignedIp),
    )


def release(app: str, ip: str) -> Call[None]:
    """Give an address back. Safe to repeat.

    Raises:
        NotFound: the app has no such address.
    """
    return Call(
        doing=f"releasing address {ip!r} of app {app!r}",
        method="DELETE",
        path=app_path(app, "/ip_assignments/" + segment("an IP address", ip)),
        read=nothing,
        repeatable=True,
    )
