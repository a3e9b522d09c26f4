"""What an app has beside its machines and its rows, and what goes with it when it is deleted."""

from __future__ import annotations

from dataclasses import dataclass

from ephemera.platform.access.tokens import Tokens
from ephemera.platform.apps.builds import Builds
from ephemera.platform.edge.private import PrivateNetworks
from ephemera.platform.logs import Logs
from ephemera.platform.records import AppRecord
from ephemera.platform.registry.registry import Registry
from ephemera.platform.secrets.store import SecretStore
from ephemera.platform.volumes.service import Volumes


@dataclass(frozen=True, slots=True)
class Belongings:
    """Those who hold something for apps, on disk or in memory."""

    volumes: Volumes
    logs: Logs
    secrets: SecretStore
    tokens: Tokens
    networks: PrivateNetworks
    registry: Registry
    builds: Builds

    async def take_away(self, app: AppRecord) -> None:
        """Remove what an app has that has no machines any more. Repeating is safe."""
        await self.volumes.drop_app(app)
        await self.logs.drop(app.id)
        self.secrets.forget_app(app.id)
        self.tokens.forget_app(app.id)
        await self.networks.forget(app)
        await self.registry.drop_app(app)
        await self.builds.drop_app(app)
