#!/usr/bin/python3
"""A small service to restart and deploy: standard library only, runs on a host of the lab.

    GET /                -> {"service", "version", "host", "pid"}
    GET /slow?seconds=N  -> the same, after N seconds
    GET /health          -> {"status": "healthy", "version"}

Settings come from the environment, then from the KEY=VALUE lines of the file SHOP_CONFIG, which
win and are read again on SIGHUP:

    SERVICE, VERSION     what it says about itself
    HOST, PORT           where it listens
    BEHAVIOUR            ok, or what is wrong with this release:
        never_ready          /health is 503 and systemd is never told that it is ready
        unhealthy            /health is 200 with {"status": "unhealthy"}
        errors               / is 500, /health is fine
        crash_after          exits 1, CRASH_AFTER seconds (2) after it was ready
        exit_at_start        exits 1 before it listens
        slow_start           listens only after START_DELAY seconds (3)
        hang                 accepts connections and answers none
        ignore_term          SIGTERM does nothing
    ERRORS               share of requests to / that are answered with 500, evenly spread (0)
    GRACE                seconds that requests in flight may take after SIGTERM (10)

On SIGTERM it stops listening, closes idle connections, finishes the requests in flight, exits 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import urllib.parse

REASONS = {200: "OK", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}


def read_settings() -> dict[str, str]:
    """The settings as they are now."""
    settings = dict(os.environ)
    path = settings.get("SHOP_CONFIG")
    if path and os.path.exists(path):
        with open(path) as file:
            lines = [line.strip() for line in file]
        pairs = [line.partition("=") for line in lines if "=" in line and line[0] != "#"]
        settings.update({key.strip(): value.strip().strip('"') for key, _, value in pairs})
    return settings


class Shop:
    """The service: answers requests, and counts those in flight."""

    def __init__(self) -> None:
        self.settings = read_settings()
        self._owed = 0.0  # part of the next error that is due
        self._idle: set[asyncio.StreamWriter] = set()
        self._busy: set[asyncio.StreamWriter] = set()
        self._stopping = asyncio.Event()
        self._done = asyncio.Event()

    @property
    def behaviour(self) -> str:
        """What is wrong with this release, or `ok`."""
        return self.settings.get("BEHAVIOUR", "ok")

    def number(self, name: str, default: float) -> float:
        """A setting that is a number."""
        return float(self.settings.get(name, default))

    async def run(self) -> int:
        """Serve until told to stop; the exit code."""
        self._install_signals()
        if self.behaviour == "exit_at_start":
            log("error: this release cannot start")
            return 1
        if self.behaviour == "slow_start":
            await asyncio.sleep(self.number("START_DELAY", 3))
        host, port = self.settings.get("HOST", "127.0.0.1"), int(self.settings.get("PORT", "8080"))
        server = await asyncio.start_server(self.serve, host, port, backlog=1024)
        log(f"listening on {host}:{port}, version {self.settings.get('VERSION', '0')}")
        if self.behaviour != "never_ready":
            notify("READY=1")
        if self.behaviour == "crash_after":
            return await self._crash()
        await self._stopping.wait()
        await self._finish(server)
        return 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self._idle.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while await self._answer_next(reader, writer):
                    pass
        finally:
            self._idle.discard(writer)
            self._busy.discard(writer)
            writer.close()
            self._note_done()

    async def _answer_next(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; whether the connection stays open for another."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self._idle.discard(writer)
        self._busy.add(writer)
        first, *headers = head.split("\r\n")
        method, target, protocol = first.split(" ")
        status, body = await self._answer(target)
        wish = next((line.lower() for line in headers if line[:11].lower() == "connection:"), "")
        keep = (protocol == "HTTP/1.1" and "close" not in wish) or "keep-alive" in wish
        keep = keep and not self._stopping.is_set()
        payload = json.dumps(body).encode() + b"\n"
        lines = (
            f"HTTP/1.1 {status} {REASONS[status]}",
            "Content-Type: application/json",
            f"Content-Length: {len(payload)}",
            f"Connection: {'keep-alive' if keep else 'close'}",
        )
        writer.write("\r\n".join([*lines, "", ""]).encode() + (payload * (method != "HEAD")))
        await writer.drain()
        self._busy.discard(writer)
        self._idle.add(writer)
        return keep and not self._stopping.is_set()

    async def _answer(self, target: str) -> tuple[int, dict[str, object]]:
        url = urllib.parse.urlsplit(target)
        if self.behaviour == "hang":
            await asyncio.Event().wait()
        if url.path == "/health":
            return self._health()
        if url.path == "/slow":
            asked = urllib.parse.parse_qs(url.query).get("seconds", ["1"])[0]
            await asyncio.sleep(float(asked))
        elif url.path != "/":
            return 404, {"error": f"no {url.path}"}
        if self.behaviour == "errors":
            log(f"error: {url.path} failed")
            return 500, {"error": "broken release"}
        if self._fails():
            log(f"error: no answer for {url.path}")
            return 500, {"error": "no answer"}
        return 200, self._about()

    def _fails(self) -> bool:
        """Whether this request is one of the share that fails."""
        self._owed += self.number("ERRORS", 0)
        if self._owed < 1:
            return False
        self._owed -= 1
        return True

    def _health(self) -> tuple[int, dict[str, object]]:
        version = self.settings.get("VERSION", "0")
        if self.behaviour == "never_ready":
            return 503, {"status": "starting", "version": version}
        status = "unhealthy" if self.behaviour == "unhealthy" else "healthy"
        return 200, {"status": status, "version": version}

    def _about(self) -> dict[str, object]:
        return {
            "service": self.settings.get("SERVICE", "shop"),
            "version": self.settings.get("VERSION", "0"),
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }

    def _install_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _stop(self) -> None:
        if self.behaviour == "ignore_term":
            log("SIGTERM ignored")
            return
        self._stopping.set()

    def _reload(self) -> None:
        self.settings = read_settings()
        log(f"reloaded, version {self.settings.get('VERSION', '0')}")

    async def _crash(self) -> int:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), self.number("CRASH_AFTER", 2))
            return 0
        log("error: this release crashes")
        return 1

    async def _finish(self, server: asyncio.Server) -> None:
        notify("STOPPING=1")
        server.close()
        for writer in list(self._idle):
            writer.close()
        self._note_done()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._done.wait(), self.number("GRACE", 10))
        log(f"stopped, {len(self._busy)} requests unfinished")

    def _note_done(self) -> None:
        if self._stopping.is_set() and not self._busy:
            self._done.set()


def notify(state: str) -> None:
    """Tell systemd, if it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_systemd:
            to_systemd.connect("\0" + address[1:] if address[0] == "@" else address)
            to_systemd.send(state.encode())


def log(line: str) -> None:
    """One line for the journal."""
    print(line, flush=True)


async def main() -> int:
    """Run the service."""
    return await Shop().run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
