"""Certificates: how an app's own host names are served with TLS."""

from __future__ import annotations

from ephemera.client.call import (
    Call,
    Stream,
    app_path,
    encode,
    nothing,
    pairs,
    reader,
    segment,
)
from ephemera.wire.certificates import (
    Certificate,
    CertificatesPage,
    CertificateSummary,
    CheckedCertificate,
    RemovedCertificate,
)


def page(
    app: str,
    *,
    filter: str | None = None,  # noqa: A002  # the API's word
    cursor: str | None = None,
    limit: int | None = None,
) -> Call[CertificatesPage]:
    """Return some of the host names of an app, and the cursor for those after them.

    Args:
        filter: Only host names that contain this.
        cursor: `next_cursor` of the page before this one.
        limit: How many, 1 to 500; the API's own default is 25.
    """
    return Call(
        doing=f"listing the certificates of app {app!r}",
        method="GET",
        path=app_path(app, "/certificates"),
        query=pairs(filter=filter, cursor=cursor or None, limit=limit),
        read=reader(CertificatesPage),
        repeatable=True,
    )


def list_(
    app: str,
    *,
    filter: str | None = None,  # noqa: A002  # the API's word
) -> Stream[CertificatesPage, CertificateSummary]:
    """Iterate over the host names of an app and how far their certificates are.

    Args:
        filter: Only host names that contain this.
    """
    return Stream(
        page=lambda cursor: page(app, filter=filter, cursor=cursor, limit=_PAGE_MOST),
        items=lambda found: found.certificates,
        cursor=lambda found: found.next_cursor,
    )


#: The API's own limit.
_PAGE_MOST = 500


def create_acme(app: str, hostname: str) -> Call[Certificate]:
    """Ask for a certificate from an authority, which the API keeps fresh from then on.

    Raises:
        Invalid: the host name is not one, or this API does not do that.
        NoAnswer: it may have been asked for: get it.
    """
    doing = f"asking for a certificate for {hostname!r} of app {app!r}"
    return Call(
        doing=doing,
        method="POST",
        path=app_path(app, "/certificates/acme"),
        body=encode(doing, {"hostname": hostname}),
        read=reader(Certificate),
    )


def create_custom(
    app: str, hostname: str, *, fullchain: str, private_key: str
) -> Call[Certificate]:
    """Serve a host name with a certificate of one's own.

    Args:
        fullchain: The certificate and those of its authorities, as PEM.
        private_key: Its key, as PEM.

    Raises:
        Invalid: they are no certificate and key, or not of each other.
        NoAnswer: it may have been taken: get it.
    """
    doing = f"setting the certificate for {hostname!r} of app {app!r}"
    body = {"hostname": hostname, "fullchain": fullchain, "private_key": private_key}
    return Call(
        doing=doing,
        method="POST",
        path=app_path(app, "/certificates/custom"),
        body=encode(doing, body),
        read=reader(Certificate),
    )


def get(app: str, hostname: str) -> Call[Certificate]:
    """Return everything about the certificates of a host name.

    Raises:
        NotFound: the app has no such host name.
    """
    return Call(
        doing=f"getting the certificate for {hostname!r} of app {app!r}",
        method="GET",
        path=_path(app, hostname),
        read=reader(Certificate),
        repeatable=True,
    )


def check(app: str, hostname: str) -> Call[CheckedCertificate]:
    """Look at the records of a host name anew, and return what is found. Safe to repeat."""
    return Call(
        doing=f"checking the certificate for {hostname!r} of app {app!r}",
        method="POST",
        path=_path(app, hostname, "/check"),
        read=reader(CheckedCertificate),
        repeatable=True,
    )


def delete(app: str, hostname: str) -> Call[None]:
    """Remove a host name with all of its certificates. Safe to repeat.

    Raises:
        NotFound: the app has no such host name.
    """
    return Call(
        doing=f"removing the certificates for {hostname!r} of app {app!r}",
        method="DELETE",
        path=_path(app, hostname),
        read=nothing,
        repeatable=True,
    )


def delete_acme(app: str, hostname: str) -> Call[Certificate]:
    """Remove the certificates that the API got for a host name, and return what is left.

    Raises:
        NotFound: there is none; after a lost answer it may have been this very call.
    """
    return Call(
        doing=f"removing the issued certificate for {hostname!r} of app {app!r}",
        method="DELETE",
        path=_path(app, hostname, "/acme"),
        read=reader(Certificate),
        repeatable=True,
    )


def delete_custom(app: str, hostname: str) -> Call[RemovedCertificate]:
    """Remove one's own certificate for a host name, and return what is left.

    Raises:
        NotFound: there is none; after a lost answer it may have been this very call.
    """
    return Call(
        doing=f"removing the custom certificate for {hostname!r} of app {app!r}",
        method="DELETE",
        path=_path(app, hostname, "/custom"),
        read=reader(RemovedCertificate),
        repeatable=True,
    )


def _path(app: str, hostname: str, tail: str = "") -> str:
    return app_path(app, "/certificates/" + segment("a host name", hostname) + tail)
