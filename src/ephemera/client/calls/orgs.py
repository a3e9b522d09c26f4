"""Organisations: what there is in all of their apps."""

from __future__ import annotations

from collections.abc import Sequence

from ephemera.client.call import Call, Stream, W, pairs, reader, segment
from ephemera.client.given import commas
from ephemera.client.messages import Pairs
from ephemera.wire.orgs import OrgMachine, OrgMachinesPage, OrgVolume, OrgVolumesPage


def machines_page(
    org_slug: str = "personal",
    *,
    include_deleted: bool = False,
    region: str | Sequence[str] | None = None,
    state: str | Sequence[str] | None = None,
    summary: bool = False,
    updated_after: str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> Call[OrgMachinesPage]:
    """Return some of an organisation's machines, and the cursor for those after them.

    Args:
        include_deleted: Also those that are destroyed.
        region: Only those in this region, or in one of these.
        state: Only those in this state, or in one of these.
        summary: Without their configs.
        updated_after: Only those that changed after this time (RFC 3339), such as the
            `last_updated_at` of an earlier page.
        cursor: `next_cursor` of the page before this one.
        limit: How many, at most 1000.
    """
    query = pairs(
        include_deleted=include_deleted,
        region=commas("a region", region),
        state=commas("a state", state),
        summary=summary,
        updated_after=updated_after,
        cursor=cursor or None,
        limit=limit,
    )
    return _listing(org_slug, "machines", query, OrgMachinesPage)


def machines(
    org_slug: str = "personal",
    *,
    include_deleted: bool = False,
    region: str | Sequence[str] | None = None,
    state: str | Sequence[str] | None = None,
    summary: bool = False,
    updated_after: str | None = None,
) -> Stream[OrgMachinesPage, OrgMachine]:
    """Iterate over all machines of an organisation.

    What happened a moment ago may not be in it yet; a machine that changes meanwhile may come
    twice. Regions that did not answer are left out without a word: `machines_page` names them.

    Args:
        include_deleted: Also those that are destroyed.
        region: Only those in this region, or in one of these.
        state: Only those in this state, or in one of these.
        summary: Without their configs.
        updated_after: Only those that changed after this time (RFC 3339).
    """
    return Stream(
        page=lambda cursor: machines_page(
            org_slug,
            include_deleted=include_deleted,
            region=region,
            state=state,
            summary=summary,
            updated_after=updated_after,
            cursor=cursor,
        ),
        items=lambda found: found.machines,
        cursor=lambda found: found.next_cursor,
    )


def volumes_page(
    org_slug: str = "personal",
    *,
    include_deleted: bool = False,
    region: str | Sequence[str] | None = None,
    state: str | Sequence[str] | None = None,
    summary: bool = False,
    updated_after: str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> Call[OrgVolumesPage]:
    """Return some of an organisation's volumes, and the cursor for those after them.

    Args:
        include_deleted: Also those that are destroyed.
        region: Only those in this region, or in one of these.
        state: Only those in this state, or in one of these.
        summary: Leave out what costs the API time to find out.
        updated_after: Only those that changed after this time (RFC 3339).
        cursor: `next_cursor` of the page before this one.
        limit: How many, at most 1000.
    """
    query = pairs(
        include_deleted=include_deleted,
        region=commas("a region", region),
        state=commas("a state", state),
        summary=summary,
        updated_after=updated_after,
        cursor=cursor or None,
        limit=limit,
    )
    return _listing(org_slug, "volumes", query, OrgVolumesPage)


def volumes(
    org_slug: str = "personal",
    *,
    include_deleted: bool = False,
    region: str | Sequence[str] | None = None,
    state: str | Sequence[str] | None = None,
    summary: bool = False,
    updated_after: str | None = None,
) -> Stream[OrgVolumesPage, OrgVolume]:
    """Iterate over all volumes of an organisation.

    A volume that changes meanwhile may come twice.

    Args:
        include_deleted: Also those that are destroyed.
        region: Only those in this region, or in one of these.
        state: Only those in this state, or in one of these.
        summary: Leave out what costs the API time to find out.
        updated_after: Only those that changed after this time (RFC 3339).
    """
    return Stream(
        page=lambda cursor: volumes_page(
            org_slug,
            include_deleted=include_deleted,
            region=region,
            state=state,
            summary=summary,
            updated_after=updated_after,
            cursor=cursor,
        ),
        items=lambda found: found.volumes,
        cursor=lambda found: found.next_cursor,
    )


def _listing(org_slug: str, what: str, query: Pairs, page: type[W]) -> Call[W]:
    return Call(
        doing=f"listing the {what} of organisation {org_slug!r}",
        method="GET",
        path="/v1/orgs/" + segment("an organisation's slug", org_slug) + "/" + what,
        query=query,
        read=reader(page),
        repeatable=True,
    )
