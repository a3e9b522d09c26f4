"""The two clients behind one face, for tests that hold for both."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from ephemera.client import AsyncClient, Client


class Caller:
    """One of the two clients, used the same way."""

    def __init__(self, kind: type[Client] | type[AsyncClient], url: str, token: str) -> None:
        self._client = kind(url, token)
        self._runner = asyncio.Runner()

    def __call__(self, do: Callable[[Any], Any]) -> Any:
        """Return what `do(client)` results in; a list for an iterator."""
        result = do(self._client)
        if isinstance(result, Iterator):
            return list(result)
        if inspect.isawaitable(result) or hasattr(result, "__anext__"):
            return self._runner.run(_settle(result))
        return result

    def close(self) -> None:
        self(lambda c: c.close())
        self._runner.close()


async def _settle(result: Any) -> Any:
    if hasattr(result, "__anext__"):
        return [item async for item in result]
    return await result
