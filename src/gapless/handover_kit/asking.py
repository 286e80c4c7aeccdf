"""One control request over a unix socket."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LIMIT = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is empty where the answer was no JSON object."""

    status: int
    body: dict[str, Any]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_LIMIT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_LIMIT)
        # the kernel takes 107 bytes of a path, and TMPDIR may be long
        inside = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sock.connect(f"/proc/self/fd/{inside}/{self._path.name}")
        finally:
            os.close(inside)


async def ask(path: Path, method: str, target: str) -> Answer:
    """Raises OSError or HTTPException where nobody answers."""
    return await asyncio.to_thread(_ask, path, method, target)


def _ask(path: Path, method: str, target: str) -> Answer:
    connection = _Connection(path)
    try:
        connection.request(method, target, headers={"Connection": "close"})
        response = connection.getresponse()
        raw = response.read()
    finally:
        connection.close()
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    return Answer(response.status, body if isinstance(body, dict) else {})
