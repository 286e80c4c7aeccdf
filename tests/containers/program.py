"""A web program that needs a moment to start, answers after 20 ms and exits at once on SIGTERM."""

from __future__ import annotations

import http.server
import os
import signal
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    """``/`` and ``/version`` say the version, ``/health`` whether it is well."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        ill = self.path == "/health" and os.environ.get("ILL")
        if self.path != "/health":
            time.sleep(0.02)
        body = os.environ.get("VERSION", "?").encode()
        self.send_response(500 if ill else 200)
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
    deaf = os.environ.get("DEAF")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else lambda *_: os._exit(0))
    print("version", os.environ.get("VERSION"), "starts", flush=True)
    if os.environ.get("BROKEN"):
        sys.exit("cannot read its settings")
    time.sleep(float(os.environ.get("START", "0.3")))
    Server(("", 8080), Handler).serve_forever()
