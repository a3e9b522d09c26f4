"""Which images of an app nobody needs any more.

```
 kept:  the last ten tags · what machines and releases have · what is promised to who pushes now
        and whatever these refer to
```
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ephemera.oci.reference import Reference
from ephemera.platform.registry import documents
from ephemera.platform.registry.holdings import Holdings, Tag
from ephemera.platform.registry.own import HOST

#: Of each app, those that were given last: as many as there are releases to go back to.
TAGS_KEPT = 10


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed because nobody needs it."""

    #: As images of them were named.
    tags: tuple[str, ...] = ()
    freed_bytes: int = 0


def collect(
    holdings: Holdings, used: Collection[Reference], promised: AbstractSet[str]
) -> Collected:
    """Remove what of an app's holdings is not needed.

    Args:
        used: By machines and releases, of this app.
        promised: Digests that a client counts on.
    """
    old = [tag for tag in _beyond_the_last(holdings.tags()) if not _is_used(tag, used)]
    for tag in old:
        holdings.untag(tag.repository, tag.name)
    roots = {tag.digest for tag in holdings.tags()} | {one.digest for one in used} | promised
    needed = _reached(holdings, roots)
    freed = sum(holdings.drop_manifest(one) for one in holdings.manifests() - needed)
    freed += sum(holdings.drop_blob(one) for one in holdings.blobs() - needed)
    return Collected(tuple(f"{HOST}/{tag.repository}:{tag.name}" for tag in old), freed)


def _beyond_the_last(tags: Iterable[Tag]) -> list[Tag]:
    return sorted(tags, key=lambda tag: tag.tagged_at_ns, reverse=True)[TAGS_KEPT:]


def _is_used(tag: Tag, used: Collection[Reference]) -> bool:
    return any((one.repository, one.tag) == (tag.repository, tag.name) for one in used)


def _reached(holdings: Holdings, roots: Iterable[str]) -> set[str]:
    """Return the digests of all that can be come to from these."""
    manifests: set[str] = set()
    blobs: set[str] = set()
    left = list(roots)
    while left:
        digest = left.pop()
        body = holdings.manifest(digest) if digest and digest not in manifests else None
        manifests.add(digest)
        if body is not None:
            document = documents.read(body)
            left += document.manifests
            blobs.update(document.blobs)
    return manifests | blobs
