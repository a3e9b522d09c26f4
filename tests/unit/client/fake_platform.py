"""A program that behaves like `python -m ephemera.platform` where starting it is concerned.

It is run in place of the Python interpreter. `script.json` beside the state folder's files says
what goes wrong; without it the platform starts. It always listens on a port of its own.
"""

from __future__ import annotations

import argparse
import fcntl
import http.server
import json
import os
import sys
import threading
import time
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    service = "ephemera"

    def do_GET(self) -> None:
        body = json.dumps({"service": self.service}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-P", action="store_true")
    parser.add_argument("-m")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--listen")
    parser.add_argument("--driver")
    parser.add_argument("--ready-fd", type=int)
    options = parser.parse_args()
    home: Path = options.home
    with (home / "starts.jsonl").open("a") as starts:
        starts.write(
            json.dumps([options.listen, options.driver, os.getsid(0) == os.getpid()]) + "\n"
        )
    path = home / "script.json"
    script = json.loads(path.read_text()) if path.exists() else {}
    with os.fdopen(options.ready_fd, "w") as ready:
        said = script.get(options.listen, script.get("*", "serve"))
        if said == "crash":
            sys.exit("a traceback, say")
        if said != "serve":
            print(said, file=ready)
            return
        lock = (home / "platform.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"error running in {home}", file=ready)
            return
        url = serve(home)
        print(f"ready {url}", file=ready)
    threading.Event().wait()


def serve(home: Path) -> str:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    (home / "token").write_text("kept\n")
    note = {"url": url, "pid": os.getpid(), "driver": "fake", "started_at": time.time()}
    fresh = home / f"platform.json.{os.getpid()}"
    fresh.write_text(json.dumps({**note, "version": "0"}))
    fresh.replace(home / "platform.json")
    return url


if __name__ == "__main__":
    main()
