"""What is said at the end of a pull."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from ephemera.platform.images import Image, ImageConfig, Images, StoredImage
from ephemera.platform.routes import images as routes
from ephemera.wire.own import PullNews

_IMAGE = Image("127.0.0.1:5000/it:latest", "sha256:1", (), ImageConfig())


class _Kept:
    def __init__(self, *there: StoredImage) -> None:
        self._there = there

    def list(self) -> Sequence[StoredImage]:
        return self._there


async def _end(*there: StoredImage) -> PullNews:
    async def pulled() -> Image:
        return _IMAGE

    pull = asyncio.create_task(pulled())
    await pull
    return routes._end(cast("Images", _Kept(*there)), pull)


def test_an_image_that_is_pruned_before_it_is_told_of_is_an_error_with_a_way_on() -> None:
    news = asyncio.run(_end())
    assert "removed it just now" in news.error
    assert news.hint


def test_an_image_that_is_there_is_told_of() -> None:
    news = asyncio.run(_end(StoredImage(_IMAGE, 5, 1.0, 1.0)))
    assert news.image
    assert news.image.reference == _IMAGE.reference
