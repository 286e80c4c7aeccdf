"""What a copy that is to end kept before it was told so, and offers before it goes: some of it may
have been sent to nobody else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from gapless.handover.work import Work


class Owed:
    """Not safe for threads; its owner has the lock."""

    def __init__(self) -> None:
        self._kept: deque[Work] = deque()
        self._due = 0.0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of its events, oldest first."""
        return tuple(work.id for work in self._kept)

    def add(self, kept: Iterable[Work], due: float) -> None:
        """Oldest first, to be offered from ``due`` on, a moment of the monotonic clock."""
        self._kept.extend(kept)
        self._due = due

    def is_due(self, now: float) -> bool:
        """Whether the other copy has had time for its part."""
        return now >= self._due

    def take(self) -> Work | None:
        """The oldest one."""
        return self._kept.popleft() if self._kept else None
