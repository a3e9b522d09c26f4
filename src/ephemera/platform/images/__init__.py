"""Container images on this computer: pulled from registries, unpacked, kept by what is in them.

```
 Images ── prepare, pull, list, prune
   │
   ├─ shared        one pull for all who ask at once
   ├─ pull          index ─► manifest ─► config ─► layers
   │    ├─ registries ─► registry ─► entrance      HTTP: challenges, tokens, retries
   │    ├─ manifests, reference, architectures     what documents and names mean; no I/O
   │    └─ unpacking ══ a process ══ unpacker   beside this package: it needs nothing of it
   └─ records       what is on the disk
```
"""

from __future__ import annotations

from ephemera.platform.images.image import Image, ImageConfig, Pruned, Say, StoredImage
from ephemera.platform.images.images import Images

__all__ = ["Image", "ImageConfig", "Images", "Pruned", "Say", "StoredImage"]
