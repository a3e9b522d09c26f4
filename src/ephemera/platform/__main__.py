"""`python -m ephemera.platform`: the server as a process, as `ephemera up` starts it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from ephemera.errors import EphemeraError
from ephemera.home import DEFAULT_LISTEN, default_driver, home, idle_timeout
from ephemera.platform.locking import FolderInUse
from ephemera.platform.server import serve
from ephemera.platform.settings import DEFAULT_REGION, Settings


def main() -> int:
    """Serve; return the exit status."""
    options = _parser().parse_args()
    # who started us may have it ignored, and then no process of ours ends as far as we can tell;
    # or blocked, as any other, which all that we start would inherit
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # It tells of every request of every check, and its path may hold what nobody is to read.
    logging.getLogger("httpx2").setLevel(logging.WARNING)

    def tell(line: str) -> None:
        if options.ready_fd is not None:
            os.write(options.ready_fd, f"{line}\n".encode())
            os.close(options.ready_fd)

    try:
        idle = idle_timeout() if options.idle_timeout is None else options.idle_timeout
        settings = Settings(
            tuple(options.regions),
            options.fly_limits,
            options.testing,
            idle,
            options.proxy,
            options.proxy_tls,
        )
        serve(
            options.home,
            options.listen,
            options.driver,
            lambda url: tell(f"ready {url}"),
            settings,
        )
    except FolderInUse as error:
        tell(f"error running {error}")
        return _failed(error)
    except EphemeraError as error:
        tell(f"error {error}")
        return _failed(error)
    return 0


def _failed(error: EphemeraError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ephemera.platform", description=__doc__)
    parser.add_argument("--home", type=Path, default=home(), help="the state folder")
    parser.add_argument("--listen", default=DEFAULT_LISTEN, help="HOST:PORT")
    parser.add_argument("--driver", default=default_driver(), help="how machines are run")
    parser.add_argument(
        "--regions", nargs="+", default=[DEFAULT_REGION], metavar="CODE", help="its regions"
    )
    parser.add_argument("--proxy", default="", metavar="HOST:PORT", help="where apps are served")
    parser.add_argument("--proxy-tls", default="", metavar="HOST:PORT", help="the same, with TLS")
    parser.add_argument("--fly-limits", action="store_true", help="limit requests as Fly.io does")
    parser.add_argument(
        "--idle-timeout",
        type=float,
        metavar="SECONDS",
        help="after how long without a request a machine is stopped whose service says so",
    )
    parser.add_argument("--testing", action="store_true", help="let tests make it misbehave")
    parser.add_argument("--ready-fd", type=int, help="where to say that it serves, or why not")
    return parser


if __name__ == "__main__":
    sys.exit(main())
