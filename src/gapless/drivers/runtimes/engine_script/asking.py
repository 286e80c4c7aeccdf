"""The engine's API on its socket, and the labels by which containers are known."""

from __future__ import annotations

import json
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

PREFIX = "com.docker.compose."
NUMBER = PREFIX + "container-number"
OWN = "gapless."
COPIED = OWN + "copied"
"""Label: a list of the files that compose copied into it. They are in no layer of its image and in
no setting."""
LIMIT = 60.0
BREATH = 0.05
"""Seconds between two looks."""


class Refused(Exception):
    """What the engine or compose said."""


class Engine:
    """Its API on a unix socket, a connection for each question. ``http.client`` would take longer
    to import than most of this takes."""

    def __init__(self, path: str) -> None:
        self.path = path

    def ask(self, method: str, path: str, body: Any = None, patience: float = 0.0) -> Any:
        """The answer as plain data; None for one that has none, or that there is no such thing.
        ``patience``: seconds that it may take longer than others."""
        sent = b"" if body is None else json.dumps(body).encode()
        told = self._answer(method, path, sent, "application/json", LIMIT + patience)
        return json.loads(told) if told and told.strip() else None

    def pack(self, identity: str, path: str) -> bytes | None:
        """An archive of one file or folder of a container; None where it is not."""
        where = f"/containers/{identity}/archive?path={quoted(path)}"
        return self._answer("GET", where, b"", "application/json", LIMIT)

    def unpack(self, identity: str, archive: bytes) -> None:
        """In the root folder of a container."""
        where = f"/containers/{identity}/archive?path=/"
        self._answer("PUT", where, archive, "application/x-tar", LIMIT)

    def _answer(self, method: str, path: str, sent: bytes, kind: str, limit: float) -> bytes | None:
        heads = ("Host: engine", f"Content-Type: {kind}", f"Content-Length: {len(sent)}")
        asked = "\r\n".join((f"{method} {path} HTTP/1.0", *heads, "", "")).encode() + sent
        first, _, told = self._exchange(asked, limit).partition(b"\r\n\r\n")
        status = int((first.split(b" ", 2)[1:2] or [b"0"])[0])
        if status == 404 and method in ("GET", "DELETE"):
            return None
        if not 200 <= status < 400:
            words = json.loads(told or b"{}").get("message")
            raise Refused(words or f"{self.path} answered: {first[:100].decode('latin-1')}")
        return told

    def _exchange(self, asked: bytes, limit: float) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(limit)
            connection.connect(self.path)
            connection.sendall(asked)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    def labelled(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """All containers that have these labels, whatever their state."""
        wanted = quoted(json.dumps({"label": labels}))
        found = self.ask("GET", "/containers/json?all=1&filters=" + wanted)
        seen = (self.ask("GET", f"/containers/{one['Id']}/json") for one in found)
        return [one for one in seen if one]


def quoted(text: str) -> str:
    """For an address."""
    return "".join(f"%{byte:02X}" for byte in text.encode())
