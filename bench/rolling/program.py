"""A web program that takes a second to start and for each twentieth request, and exits at once on
SIGTERM: nothing in it knows of rollouts.

It tells when it listened and when its first request came that is no health check, in seconds of the
machine's monotonic clock.
"""

from __future__ import annotations

import http.server
import itertools
import os
import signal
import time

BRIEF = 0.02


def tell(*words: object) -> None:
    print(*words, flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    """``/work`` takes its time, ``/health`` none; both say the version."""

    protocol_version = "HTTP/1.1"
    numbers = itertools.count()

    def do_GET(self) -> None:
        if self.path != "/health":
            number = next(self.numbers)
            if number == 0:
                tell("first")
            slow = number % int(os.environ.get("SLOW_EACH", "20")) == 10
            time.sleep(float(os.environ.get("LONGEST", "1")) if slow else BRIEF)
        body = b'{"version": "%s"}' % os.environ.get("VERSION", "?").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing for each request."""


class Server(http.server.ThreadingHTTPServer):
    """A busy machine may be late to accept."""

    request_queue_size = 512
    daemon_threads = True


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    time.sleep(float(os.environ.get("START", "1")))
    server = Server(("", 8080), Handler)
    tell("ready")
    server.serve_forever()
