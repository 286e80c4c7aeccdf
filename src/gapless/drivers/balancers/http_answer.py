"""What an HTTP API answered."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

from gapless.hostside.http_message import Headers, Malformed, read_answer

LARGEST = 16 << 20
"""Bytes of a body; an API that answers with more is not the one that was meant."""
_SHOWN = 500


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers (found however they are written) and the whole body, secrets taken out."""

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body read as JSON, None when there is none. Raises ValueError."""
        return json.loads(self.body) if self.body.strip() else None

    def __str__(self) -> str:
        text = self.body.decode("utf-8", "replace").strip()
        return f"{self.status} {text[:_SHOWN]}{'…' if len(text) > _SHOWN else ''}".rstrip()


def read(data: bytes, method: str) -> HttpAnswer:
    """The answer in the bytes of a connection that has ended. Raises Malformed, and CutOff when it
    ended before the answer did."""
    stream = io.BytesIO(data)
    status, headers, body = read_answer(stream, method, LARGEST + 1)
    if len(body) > LARGEST:
        raise Malformed(f"the answer is longer than {LARGEST} bytes")
    for line in stream.read().decode("latin-1").splitlines():  # headers behind the last chunk
        name, colon, value = line.partition(":")
        if colon and "chunked" in (headers.get("transfer-encoding") or ""):
            headers.add(name.strip(), value.strip())
    return HttpAnswer(status, headers, body)
