"""The events themselves, one JSON line each."""

from __future__ import annotations

from gapless.events.event import Event
from gapless.render.output import Output


class JsonLines:
    """Writes every event as it comes, transient ones too."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def observe(self, event: Event) -> None:
        """Write its line."""
        self._output.write(event.to_line() + "\n")

    def say(self, text: str) -> None:
        """Nothing but events is written here."""

    def hold(self) -> None:
        """Lines disturb nobody."""

    def go_on(self) -> None:
        """They never stopped."""

    def close(self) -> None:
        """Nothing to leave."""
