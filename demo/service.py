"""A service of the demo: ``service.py store``, or ``service.py api PORT``, which asks the store.

It listens on the port, or on the sockets that it inherits (LISTEN_FDS). At SIGTERM it answers what
it has taken, and ends. VERSION and BEHAVIOUR are read from release.env, beside it;
``BEHAVIOUR=unhealthy`` answers /health wrongly, and everything else as if it were well.
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
    line.split("=", 1) for line in (Path(__file__).parent / "release.env").read_text().splitlines()
)
FIRST = 3
"""The descriptor of the first inherited socket."""


class Handler(BaseHTTPRequestHandler):
    """``/`` and ``/health``."""

    def do_GET(self) -> None:
        """Everything but ``/health`` is answered with what the service has."""
        body = json.dumps(health() if self.path == "/health" else answer()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the demo has enough to read."""


class Server(ThreadingHTTPServer):
    """Serves a socket that listens already: where it is shared, the other copy may take what woke
    us."""

    daemon_threads = False

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.socket.setblocking(False)


def listeners() -> list[socket.socket]:
    """Its own where it was given a port, else those handed over."""
    if sys.argv[2:]:
        return [socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=128)]
    handed = range(FIRST, FIRST + int(os.environ["LISTEN_FDS"]))
    return [socket.socket(fileno=number) for number in handed]


def health() -> dict[str, str]:
    """A bad release says that it is unhealthy, with 200."""
    sick = RELEASE.get("BEHAVIOUR") == "unhealthy"
    return {"status": "unhealthy" if sick else "healthy", "version": RELEASE["VERSION"]}


def answer() -> dict[str, Any]:
    """The release, and what the store has: the API asks it for each request."""
    told = {"service": ROLE, "version": RELEASE["VERSION"]}
    if ROLE == "store":
        return {**told, "items": ["tea", "salt", "rope"]}
    with urllib.request.urlopen(os.environ["STORE"], timeout=5) as store:  # noqa: S310 (the demo's own)
        return {**told, "items": json.load(store)["items"]}


def main() -> None:
    """Serve on every listener until TERM; requests under way are finished."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    servers = [Server(listener) for listener in listeners()]
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    told.wait()
    for server in servers:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
