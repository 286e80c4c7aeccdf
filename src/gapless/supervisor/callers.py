"""Who waits to hear what came of a flip, and what was told last."""

from __future__ import annotations

from gapless.supervisor.caller import Caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Callers:
    """``of_flip`` asked for the one that is under way, ``until_idle`` for whatever comes last."""

    def __init__(self) -> None:
        self.of_flip: list[Caller] = []
        self.until_idle: list[Caller] = []
        self.last: dict[str, Any] | None = None
        """What came of the last flip."""

    def answer(self, reply: dict[str, Any]) -> None:
        """The flip that was under way is over."""
        self.last = reply
        for caller in self.take():
            caller.answer(reply)

    def tell_idle(self, nothing: dict[str, Any]) -> None:
        """No other is on its way; ``nothing`` is told when there was none at all."""
        waiting, self.until_idle = self.until_idle, []
        for caller in waiting:
            caller.answer(self.last or nothing)

    def take(self) -> list[Caller]:
        """Those of the flip under way are somebody else's to answer."""
        callers, self.of_flip = self.of_flip, []
        return callers

    def take_all(self) -> list[Caller]:
        """Nothing will come of anything any more."""
        waiting, self.until_idle = self.until_idle, []
        return [*self.take(), *waiting]
