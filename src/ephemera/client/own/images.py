"""Container images on the embedded platform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ephemera.client.call import Call, encode, nothing, reader
from ephemera.client.own.face import OwnFace
from ephemera.errors import ImageUnavailable, NoAnswer
from ephemera.wire.own import ImageList, PrunedImages, PullNews, StoredImage

#: Removing gigabytes of small files.
_PRUNE_TIMEOUT_S = 600.0


class OwnImages(OwnFace):
    """The platform's own endpoints for images. Safe to use from any thread.

    All raise `Invalid` where the platform's driver has no images, and `NotFound` where it is no
    platform of ours.
    """

    about = "looking after the images on a computer"
    instead = "there they are in its registry; `fly image show` tells which one an app has"

    def list(self) -> list[StoredImage]:
        """Return the images that are there, oldest first: each once for each of its references."""
        call = Call(
            doing="listing the images",
            method="GET",
            path="/ephemera/images",
            read=reader(ImageList),
            repeatable=True,
        )
        return self._link.run(call).images

    def pull(self, reference: str, hear: Callable[[str, str], None]) -> StoredImage:
        """Return an image once the platform has it as its registry has it now.

        Args:
            hear: Called with the level and the text of each line that is said meanwhile.

        Raises:
            ImageUnavailable: it cannot be had; the message says why. Repeating is safe.
            NoAnswer: the platform went away meanwhile. Repeating is safe.
        """
        doing = f"pulling image {reference!r}"
        call = Call(
            doing=doing,
            method="POST",
            path="/ephemera/images/pull",
            body=encode(doing, {"reference": reference}),
            read=nothing,
        )
        with self._link.download(call) as blocks:
            for line in _lines(blocks):
                news = PullNews.model_validate_json(line)
                if news.image:
                    return news.image
                if news.error:
                    raise ImageUnavailable(news.error, hint=news.hint)
                hear(news.level, news.message)
        raise NoAnswer(f"{doing}: the platform did not say how it ended", hint="try again")

    def prune(self) -> PrunedImages:
        """Remove the images that no machine has, and return which those were."""
        call = Call(
            doing="removing unused images",
            method="POST",
            path="/ephemera/images/prune",
            read=reader(PrunedImages),
            read_timeout_s=_PRUNE_TIMEOUT_S,
            repeatable=True,
        )
        return self._link.run(call)


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole lines that are not empty."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield from filter(None, lines)
