"""Events that another copy has claimed and not done yet. If it dies, they are ours."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.handover.work import Work

_FIRST = 0.05
_LAST = 1.0


@dataclass
class _Entry:
    owner: str
    due: float
    pause: float


class Watched:
    """Not safe for threads; its owner has the lock."""

    def __init__(self) -> None:
        self._entries: dict[Work, _Entry] = {}
        self._pauses: dict[Work, float] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, work: Work, owner: str, now: float) -> None:
        """Looked at less often each time."""
        pause = min(_LAST, 2 * self._pauses.get(work, _FIRST / 2))
        self._entries[work] = _Entry(owner, now + pause, pause)

    @property
    def owners(self) -> set[str]:
        """Whose lives matter."""
        return {entry.owner for entry in self._entries.values()}

    def take_due(self, now: float, dead: set[str]) -> list[Work]:
        """To be claimed again: what was not looked at for long, and all of the dead."""
        due = {
            work: entry
            for work, entry in self._entries.items()
            if entry.due <= now or entry.owner in dead
        }
        for work in due:
            del self._entries[work]
        self._pauses = {work: entry.pause for work, entry in due.items()}
        return list(due)
