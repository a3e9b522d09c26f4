"""From a project's folder to an image in a registry.

```
 build ─► choosing: which builder
   ├─ python       layers of dependencies and source on a base image, without a container
   │    ├─ locks, markers ─► installing ─► dependencies   a layer, kept while the lock is the same
   │    ├─ ignoring ─► tree ─► source                    a layer
   │    ├─ layers, document                              archives, the image's config and manifest
   │    └─ sending ─► pushing    what of the image its registry lacks
   ├─ dockerfile   by `buildah` or `docker`
   │    └─ alongside   Ephemera itself, for a Dockerfile that asks for it
   └─ host         copying: a copy of the source, for machines that are processes of this computer
```
"""

from __future__ import annotations

from ephemera.deploy.build.building import build
from ephemera.deploy.build.request import (
    BuildRequest,
    Built,
    Destination,
    Dockerfile,
    Tell,
)

__all__ = ["BuildRequest", "Built", "Destination", "Dockerfile", "Tell", "build"]
