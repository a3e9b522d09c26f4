"""Under which names the platform's own registry is meant in a reference to an image."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from ephemera.errors import ImageUnavailable
from ephemera.oci import reference as references
from ephemera.oci.reference import Reference

#: How images of the platform are named in configs, whatever port it has.
HOST = "registry.localhost"


class OwnName:
    """The names of one platform's registry.

    Args:
        url: Of the platform.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        port = f":{address.port}" if address.port else ""
        by_port = (f"{name}{port}" for name in (HOST, "localhost", "127.0.0.1", "[::1]") if port)
        self._hosts = {HOST, address.netloc, *by_port}

    def owns(self, host: str) -> bool:
        """Whether the host of a reference is this platform."""
        return host in self._hosts

    def reference(self, image: str) -> Reference | None:
        """Return what an image is in the platform's own registry; None where it is not in it.

        Raises:
            ImageUnavailable: it would be, and is not a reference.
        """
        if not self.owns(image.partition("/")[0]):
            return None
        return self.settled(references.parse(image))

    def settled(self, reference: Reference) -> Reference:
        """Return a reference under the one name of the registry that stays, if it is of it."""
        return replace(reference, host=HOST) if self.owns(reference.host) else reference

    def mentioned(self, image: str) -> Reference | None:
        """Return the same of an image that somebody wrote down; None where it makes no sense."""
        try:
            return self.reference(image)
        except ImageUnavailable:
            return None
