"""A client that waits for its answers, and tries again as clients of such servers do."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any


class Lost(Exception):
    """A write was not acknowledged in time."""


def ask(
    url: str, body: bytes | None = None, *, limit: float = 10.0, key: str = ""
) -> tuple[int, Any]:
    """Status and answer, JSON or text; OSError where there is none."""
    asked = urllib.request.Request(url, body, {"X-API-Key": key} if key else {})
    try:
        with urllib.request.urlopen(asked, timeout=limit) as answer:
            status, text, kind = answer.status, answer.read(), answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        status, text, kind = error.code, error.read(), error.headers.get_content_type()
    return status, json.loads(text) if kind == "application/json" else text.decode()


class Client:
    """Of the nodes at these URLs."""

    def __init__(self, urls: Sequence[str], *, patience: float = 10.0) -> None:
        self._urls, self._patience = list(urls), patience
        self._leaders: dict[str, str] = {}

    def produce(self, partition: str, value: str) -> int:
        """Its offset. A write that was tried again may be there twice."""
        until = time.monotonic() + self._patience
        said: object = "nobody answers"
        turn = 0
        while time.monotonic() < until:
            url = self._leaders.get(partition) or self._urls[turn % len(self._urls)]
            try:
                status, said = ask(f"{url}/produce/{partition}", value.encode(), limit=6.0)
            except (OSError, ValueError) as error:
                status, said = 0, error
            if status == 200:
                assert isinstance(said, dict)
                self._leaders[partition] = url
                return int(said["offset"])
            self._leaders.pop(partition, None)
            if status == 421:
                assert isinstance(said, dict)
                self._leaders[partition] = f"http://{said['address']}"
            turn += 1
            time.sleep(0.01)
        raise Lost(f"{partition} {value}: {said}")


def committed(url: str, partition: str) -> list[str]:
    """All values there that this node knows to be committed."""
    values: list[str] = []
    while True:
        status, said = ask(f"{url}/fetch/{partition}?offset={len(values)}")
        assert status == 200, said
        if not said["records"]:
            return values
        values += [record["value"] for record in said["records"]]
