"""What we agree on with clients that speak HTTP/2."""

from __future__ import annotations

import h2.config
import h2.connection
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from ephemera.platform.proxy.requests import HEAD_BYTES_MAX

#: Requests of one connection at a time; what browsers expect at least.
_STREAMS_MAX = 128
#: How much of a body may be under way without having been read: of each request, and of all.
_STREAM_WINDOW, _WINDOW = 256 * 1024, 1024 * 1024


def fresh_connection() -> h2.connection.H2Connection:
    """Return the server's end of a connection, which has begun to speak."""
    config = h2.config.H2Configuration(client_side=False, header_encoding=None)
    connection = h2.connection.H2Connection(config)
    connection.local_settings = Settings(
        client=False,
        initial_values={
            SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS_MAX,
            SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: HEAD_BYTES_MAX,
            SettingCodes.ENABLE_CONNECT_PROTOCOL: 0,
        },
    )
    connection.initiate_connection()
    connection.increment_flow_control_window(_WINDOW - connection.inbound_flow_control_window)
    return connection


def no_more_after(number: int) -> bytes:
    """Return what tells a client that streams are answered up to this one, and no later one.

    `h2` says goodbye only where nothing is to be sent any more.
    """
    return GoAwayFrame(stream_id=0, last_stream_id=number).serialize()
