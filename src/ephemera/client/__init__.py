"""The Machines API from the caller's side.

```
 Client, AsyncClient     what users type; generated from `calls`
        │
      calls              one function per endpoint: what to send, how to read the answer
        │
     exchange            waits, streams, limits ─► guard (at most once, regions)
        │                                        ─► attempt (retry, back-off); no I/O
      links              the only I/O, once sync and once async
        │
    near, far            to this computer, by the shortest way; to anywhere else
        │
      place              which API: settings, or the embedded platform, found or started
```
"""

from __future__ import annotations

from ephemera.client._async import AsyncClient
from ephemera.client._sync import Client
from ephemera.client.local import ensure_platform

__all__ = ["AsyncClient", "Client", "ensure_platform"]
