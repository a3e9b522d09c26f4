"""Container images on this computer: pulled from registries, unpacked, kept by what is in them.

```
 Images ── prepare, pull, list, prune
   │
   ├─ shared        one pull for all who ask at once
   ├─ pull          index ─► manifest ─► config ─► layers
   │    ├─ ephemera.oci             how registries are spoken to, and what they say
   │    └─ unpacking ══ a process ══ unpacker   beside this package: it needs nothing of it
   └─ records       what is on the disk
```
"""

from __future__ import annotations

from ephemera.oci.imageconfig import ImageConfig
from ephemera.platform.images.image import Image, Pruned, Say, StoredImage
from ephemera.platform.images.images import Images

__all__ = ["Image", "ImageConfig", "Images", "Pruned", "Say", "StoredImage"]
