"""The same small service for servers that load applications: one request at a time per worker
(thread), WORK milliseconds each, and a line in TIMES when it is ready and when it is told to stop.

Imported by the servers' own Python: the standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from types import FrameType
from typing import Any

WORK = float(os.environ.get("WORK", "2")) / 1000
TIMES = os.environ.get("TIMES", "")

Message = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


def wsgi() -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """Made in each worker when it is about to serve."""
    note("ready")
    _note_term()
    return _answer


def _answer(environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
    time.sleep(WORK)
    body = _words()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Blocks its worker while it works, as most code does somewhere."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    time.sleep(WORK)
    body = _words()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _live(
    receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    while True:
        event = (await receive())["type"].removeprefix("lifespan.")
        if event == "startup":
            note("ready")
            _note_term()
        else:
            note("term")  # where the signal goes past Python; else the first line counts
        await send({"type": f"lifespan.{event}.complete"})
        if event == "shutdown":
            return


def _note_term() -> None:
    """In front of what the server does about it."""
    before = signal.getsignal(signal.SIGTERM)

    def told(number: int, frame: FrameType | None) -> None:
        note("term")
        if callable(before):
            before(number, frame)

    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, told)


def _words() -> bytes:
    return f"{os.getpid()} {os.getpid()} -\n".encode()


def note(what: str) -> None:
    """One write: workers share the file."""
    if TIMES:
        file = os.open(TIMES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, f"{what} {os.getpid()} {time.monotonic():.6f}\n".encode())
        os.close(file)
