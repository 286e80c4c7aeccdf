"""A file with every event as a JSON line."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from gapless.drivers.sinks.aside import aside
from gapless.drivers.sinks.base import SinkError
from gapless.drivers.sinks.files import append_line
from gapless.events.event import Event


class JsonlSink:
    """Appends; rotation by rename is fine, the file is opened for each event."""

    spooled: ClassVar[bool] = False

    def __init__(self, path: str) -> None:
        self._path = Path(path).expanduser()

    @property
    def name(self) -> str:
        """Kind and file."""
        return f"jsonl {self._path}"

    @property
    def deadline(self) -> float:
        """A disk that takes longer is not there."""
        return 5.0

    async def deliver(self, event: Event) -> None:
        """Append its line."""
        try:
            await aside(lambda: append_line(self._path, event.to_line()))
        except OSError as error:
            raise SinkError(f"{self._path}: {error.strerror}") from None

    def learn(self, event: Event) -> None:
        """Nothing to know."""
