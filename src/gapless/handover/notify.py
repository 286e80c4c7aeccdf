"""What a service manager is told (``sd_notify``)."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping


class Notify:
    """Tells each thing once, and nobody where ``NOTIFY_SOCKET`` is not set."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        path = variables.get("NOTIFY_SOCKET", "")
        self._path = "\0" + path[1:] if path.startswith("@") else path
        self._last: dict[str, str] = {}

    def say(self, key: str, value: str) -> None:
        """A value that was told last is not told again."""
        if not self._path or self._last.get(key) == value:
            return
        self._last[key] = value
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as speaking,
        ):
            speaking.sendto(f"{key}={value}".encode(), self._path)
