#!/usr/bin/python3
"""A web server as a unit runs it: takes over all of LISTEN_FDS, else opens $ADDRESS.

    GET /           {"version", "pid"}
    GET /slow?N     the same, after N seconds
    GET /busy       {"busy": requests of /slow that are being answered}
    GET /facts      {"argv", "environment", "pid", "uid", "directory"}
    GET /crash?N    no answer, exit code N
    GET /hang       WATCHDOG=1 is not sent any more

/srv/web/release is read at the start: VERSION, and BEHAVIOUR:

    exit       ends at once, with 3
    never      lives, and is never ready
    settle     ends with 4 as soon as it has said that it is ready
    slow       ready after 6 s, extending the limit meanwhile
    late       ready after 6 s without a word
    no-term    dies of TERM, as programs do by default
    deaf       does not hear TERM
    long       takes 5 s to end, extending the limit meanwhile

On TERM it stops accepting, answers what it has accepted, and ends with 0.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.parse

RELEASE = "/srv/web/release"
HUNG = threading.Event()
BUSY: list[object] = []


def notify(text: str) -> None:
    """To whoever started us."""
    if address := os.environ.get("NOTIFY_SOCKET", ""):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.sendto(text.encode(), address.replace("@", "\0", 1))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        answer: dict[str, object] = {"version": VERSION, "pid": os.getpid()}
        if path == "/slow":
            BUSY.append(self)
            time.sleep(float(query))
            BUSY.remove(self)
        elif path == "/busy":
            answer |= {"busy": len(BUSY)}
        elif path == "/facts":
            answer |= {"argv": sys.argv, "environment": dict(os.environ)}
            answer |= {"uid": os.getuid(), "directory": os.getcwd()}
        elif path == "/crash":
            os._exit(int(query))
        elif path == "/hang":
            HUNG.set()
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = False
    request_queue_size = 1024

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.socket.setblocking(False)  # the other copy may take what both were woken for

    def get_request(self) -> tuple[socket.socket, object]:
        link, peer = super().get_request()
        link.setblocking(True)
        return link, peer


def listening() -> list[socket.socket]:
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        return [socket.socket(fileno=3 + n) for n in range(int(os.environ["LISTEN_FDS"]))]
    where = urllib.parse.urlsplit(f"//{os.environ['ADDRESS']}")
    return [socket.create_server((where.hostname, where.port), backlog=1024)]


def ping() -> None:
    """As often as systemd recommends."""
    seconds = int(os.environ["WATCHDOG_USEC"]) / 2e6
    while not HUNG.is_set():
        notify("WATCHDOG=1")
        time.sleep(seconds)


def settings() -> dict[str, str]:
    with open(RELEASE) as file:
        return dict(line.strip().split("=", 1) for line in file if "=" in line)


def begin(behaviour: str) -> None:
    """What comes before it serves."""
    if behaviour == "exit":
        print("this release cannot start", flush=True)
        sys.exit(3)
    while behaviour == "never":
        time.sleep(1)
    if behaviour in ("slow", "late"):
        extend(6.0, "EXTEND_TIMEOUT_USEC=2000000" if behaviour == "slow" else "")


def extend(seconds: float, text: str = "EXTEND_TIMEOUT_USEC=2000000") -> None:
    """Take so long, saying so."""
    for _ in range(int(seconds / 0.5)):
        notify(text)
        time.sleep(0.5)


def main() -> None:
    behaviour = SETTINGS.get("BEHAVIOUR", "")
    begin(behaviour)
    if "--child" in sys.argv:
        subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
    servers = [Server(listener) for listener in listening()]
    beside = [threading.Thread(target=one.serve_forever, args=(0.05,)) for one in servers[1:]]

    def stop(*_: object) -> None:
        for one in servers:
            threading.Thread(target=one.shutdown).start()

    if behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif behaviour != "no-term":
        signal.signal(signal.SIGTERM, stop)
    if "WATCHDOG_USEC" in os.environ:
        threading.Thread(target=ping, daemon=True).start()
    for thread in beside:
        thread.start()
    notify(f"READY=1\nSTATUS=version {VERSION} is at your service")
    if behaviour == "settle":
        os._exit(4)
    servers[0].serve_forever(poll_interval=0.05)
    for thread in beside:
        thread.join()
    for one in servers:
        one.server_close()
    if behaviour == "long":
        extend(5.0)


SETTINGS = settings()
VERSION = SETTINGS.get("VERSION", "?")

if __name__ == "__main__":
    main()
