"""Requests to flip are levels, not edges: any number while busy become one more flip, and each who
asked learns the result of a flip that began after."""

from __future__ import annotations

from collections.abc import Callable

from gapless.supervisor.caller import Caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLIP, ROLLBACK = "flip", "rollback"


class Requests:
    """What was asked for and has not begun, in the order it was first asked."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Caller]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def ask(self, kind: str, caller: Caller | None) -> None:
        """``caller`` waits for the result, or nobody does."""
        callers = self._waiting.setdefault(kind, [])
        if caller is not None:
            callers.append(caller)

    def take(self) -> tuple[str, list[Caller]]:
        """The next one; who asks from now on means another."""
        kind = next(iter(self._waiting))
        return kind, self._waiting.pop(kind)

    def clear(self) -> list[Caller]:
        """Nothing will be done any more: those who wait."""
        callers = [caller for waiting in self._waiting.values() for caller in waiting]
        self._waiting.clear()
        return callers

    def to_json(self) -> dict[str, Any]:
        """Descriptors of the callers."""
        return {kind: [c.fileno() for c in callers] for kind, callers in self._waiting.items()}

    def from_json(self, data: dict[str, Any], caller: Callable[[int], Caller]) -> None:
        """What ``to_json`` told."""
        for kind, fds in data.items():
            self._waiting[kind] = [caller(fd) for fd in fds]
