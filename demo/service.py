"""A service of the demo: ``service.py store``, or ``service.py api``, which asks the store.

It inherits its sockets (LISTEN_FDS), answers what it has taken after SIGTERM, and ends. VERSION and
BEHAVIOUR are read from release.env, beside it; ``BEHAVIOUR=unhealthy`` answers /health wrongly.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROLE = sys.argv[1]
RELEASE = dict(
    line.split("=", 1)
    for line in (Path(__file__).parent / "release.env").read_text().splitlines()
)
FIRST = 3
"""The descriptor of the first inherited socket."""


class Handler(BaseHTTPRequestHandler):
    """``/`` and ``/health``."""

    def do_GET(self) -> None:  # noqa: N802 - the name is given
        body = json.dumps(health() if self.path == "/health" else answer()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the demo has enough to read."""


class Inherited(ThreadingHTTPServer):
    """Serves a socket that somebody else holds: the other copy may take what woke us."""

    daemon_threads = False

    def __init__(self, number: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=number)
        self.socket.setblocking(False)


def health() -> dict[str, str]:
    sick = RELEASE.get("BEHAVIOUR") == "unhealthy"
    return {"status": "unhealthy" if sick else "healthy", "version": RELEASE["VERSION"]}


def answer() -> dict[str, Any]:
    told = {"service": ROLE, "version": RELEASE["VERSION"]}
    if ROLE == "store":
        return {**told, "items": ["tea", "salt", "rope"]}
    with urllib.request.urlopen(os.environ["STORE"], timeout=5) as store:
        return {**told, "items": json.load(store)["items"]}


def main() -> None:
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    servers = [Inherited(FIRST + number) for number in range(int(os.environ["LISTEN_FDS"]))]
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    told.wait()
    for server in servers:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
