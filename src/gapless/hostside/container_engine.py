"""The API of the container engine of this host, on its socket."""

from __future__ import annotations

import json
import socket

from gapless.hostside.faults import Fault
from gapless.hostside.http_message import Malformed, read_answer, request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

LIMIT = 60.0
BREATH = 0.05
"""Seconds between two looks."""
_LARGEST = 64 << 20


class Engine:
    """A connection for each question; ``limit`` seconds for each part of an answer. Raises Fault
    for what it refuses, in its words, and OSError where it does not answer."""

    def __init__(self, path: str, limit: float = LIMIT) -> None:
        self.path = path
        self._limit = limit

    def ask(self, method: str, path: str, body: Any = None, patience: float = 0.0) -> Any:
        """The answer as plain data; None for one that has none, or that there is no such thing.
        ``patience``: seconds that it may take longer than others."""
        sent = b"" if body is None else json.dumps(body).encode()
        told = self._answer(method, path, sent, "application/json", self._limit + patience)
        return self._data(told) if told and told.strip() else None

    def pack(self, identity: str, path: str) -> bytes | None:
        """An archive of one file or folder of a container; None where it is not."""
        where = f"/containers/{identity}/archive?path={quoted(path)}"
        return self._answer("GET", where, b"", "application/json", self._limit)

    def unpack(self, identity: str, archive: bytes) -> None:
        """In the root folder of a container."""
        where = f"/containers/{identity}/archive?path=/"
        self._answer("PUT", where, archive, "application/x-tar", self._limit)

    def labelled(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """All containers that have these labels, whatever their state."""
        wanted = quoted(json.dumps({"label": labels}))
        found = self.ask("GET", "/containers/json?all=1&filters=" + wanted) or []
        seen = (self.ask("GET", f"/containers/{one['Id']}/json") for one in found)
        return [one for one in seen if one]  # one that has just gone is not there

    def _answer(self, method: str, path: str, sent: bytes, kind: str, limit: float) -> bytes | None:
        try:
            status, told = self._exchange(method, path, sent, kind, limit)
        except Malformed as error:
            raise self._strange(str(error)) from error
        if status == 404 and method in ("GET", "DELETE"):
            return None
        if not 200 <= status < 400:
            said = self._data(told) if told else {}
            words = said.get("message") if isinstance(said, dict) else ""
            answered = f"{self.path} answered with status {status}"
            raise Fault(words or answered, evidence=answered)
        if len(told) > _LARGEST:
            raise Fault(f"{self.path} answered with more than {_LARGEST} bytes")
        return told

    def _exchange(
        self, method: str, path: str, sent: bytes, kind: str, limit: float
    ) -> tuple[int, bytes]:
        heads = {"Host": "engine", "Connection": "close"}
        heads.update({"Content-Type": kind, "Content-Length": str(len(sent))})
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(limit)
            connection.connect(self.path)
            connection.sendall(request(method, path, heads) + sent)
            with connection.makefile("rb") as stream:
                status, _, told = read_answer(stream, method, _LARGEST + 1)
        return status, told

    def _data(self, told: bytes) -> Any:
        try:
            return json.loads(told)
        except ValueError:
            raise self._strange("not JSON") from None

    def _strange(self, told: str) -> Fault:
        return Fault(f"{self.path} does not answer as a container engine: {told}")


def quoted(text: str) -> str:
    """For an address."""
    return "".join(f"%{byte:02X}" for byte in text.encode())
