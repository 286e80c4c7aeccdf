"""What every renderer of a running rollout is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gapless.events.event import Event


class Renderer(Protocol):
    """Shows a rollout while it runs. Never raises, never waits."""

    def observe(self, event: Event) -> None:
        """Take an event in, and show it if that is due."""
        ...

    def say(self, text: str) -> None:
        """Tell the person at the keyboard something now."""
        ...

    def hold(self) -> None:
        """Keep still: a person is asked something."""
        ...

    def go_on(self) -> None:
        """Show again what happens."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class Quiet:
    """Shows nothing until the end."""

    def observe(self, event: Event) -> None:
        """Ignore it."""

    def say(self, text: str) -> None:
        """Keep quiet."""

    def hold(self) -> None:
        """It is still anyway."""

    def go_on(self) -> None:
        """Nothing to show."""

    def close(self) -> None:
        """Nothing to leave."""


def guarded(observe: Callable[[Event], None]) -> Callable[[Event], None]:
    """The same observer, turned off by its first error: showing must never end a rollout."""
    broken = False

    def observer(event: Event) -> None:
        nonlocal broken
        if broken:
            return
        try:
            observe(event)
        except Exception:
            broken = True

    return observer
