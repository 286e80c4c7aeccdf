"""What came while this copy handled nothing: kept in the order in which it came."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from gapless.handover.work import Work


class Buffer:
    """Not safe for threads; its owner has the lock."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds, self._most = seconds, most
        self._kept: deque[tuple[float, Work]] = deque()
        self.dropped = 0
        """Lost before their time, since there were too many."""

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, work: Work, now: float) -> None:
        """The oldest one goes where there is no room."""
        if len(self._kept) >= self._most:
            self._kept.popleft()
            self.dropped += 1
        self._kept.append((now, work))

    def forget_old(self, now: float) -> None:
        """What nobody will ask for any more."""
        while self._kept and now - self._kept[0][0] > self._seconds:
            self._kept.popleft()

    def take(self) -> Work | None:
        """The oldest one."""
        return self._kept.popleft()[1] if self._kept else None

    def take_all(self) -> Iterator[Work]:
        """Oldest first."""
        while (work := self.take()) is not None:
            yield work
