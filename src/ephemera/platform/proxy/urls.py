"""Where the proxy of a platform is, and what follows from that for an app."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

#: The ports that a URL need not name.
_DEFAULTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ProxyUrls:
    """The two listeners of a proxy, such as `http://127.0.0.1:4281`; empty where there is none."""

    plain: str = ""
    tls: str = ""


def of_app(name: str, proxy: str) -> str:
    """Return the URL of an app at one of the listeners; empty where there is none.

    Names below `localhost` are this computer (RFC 6761); browsers know, and not all programs do.
    """
    if not proxy:
        return ""
    where = urlsplit(proxy)
    port = "" if where.port in (None, _DEFAULTS.get(where.scheme)) else f":{where.port}"
    return f"{where.scheme}://{name}.localhost{port}"
