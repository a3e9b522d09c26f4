"""`test_server.py` is only about a server that somebody named."""

from __future__ import annotations

import os

if not os.environ.get("EPHEMERA_CONFORMANCE_URL"):
    collect_ignore = ["test_server.py"]
