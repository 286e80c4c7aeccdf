"""The poll loop: descriptors that are ready, deadlines that have come. It sleeps without a limit
while nothing is due, so an idle supervisor never wakes."""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
_GONE = select.EPOLLHUP | select.EPOLLERR

_MANY = 64
"""Deadlines, above which those that were cancelled are thrown out."""

Ready = Callable[[int], None]
"""Called with the events of a descriptor."""


class Deadline:
    """Something that is due at a time, until it is cancelled."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at, self.call = at, call
        self.cancelled = False

    def cancel(self) -> None:
        """Not any more; what it would have called is let go at once."""
        self.cancelled, self.call = True, _nothing

    def __lt__(self, other: Deadline) -> bool:
        return self.at < other.at


class Loop:
    """One for the whole process; callbacks never block."""

    def __init__(self) -> None:
        # with a thousand proxied connections poll would take ten times as long for each event
        self._poll = select.epoll()
        self._ready: dict[int, Ready] = {}
        self._new: set[int] = set()
        """Watched since the last look: what was seen then was of another with this number."""
        self._due: list[Deadline] = []
        self._stopped = False

    def now(self) -> float:
        """Seconds of the monotonic clock: steps of the wall clock do not move it."""
        return time.monotonic()

    def watch(self, fd: int, events: int, ready: Ready) -> None:
        """Call ``ready`` whenever one of ``events`` holds; again to change them."""
        if fd in self._ready:
            self._poll.modify(fd, events)
        else:
            self._poll.register(fd, events)
            self._new.add(fd)
        self._ready[fd] = ready

    def forget(self, fd: int) -> None:
        """Before it is closed. Fine when it is not watched."""
        if self._ready.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def after(self, seconds: float, call: Callable[[], None]) -> Deadline:
        """Call once in ``seconds``."""
        deadline = Deadline(self.now() + max(0.0, seconds), call)
        if len(self._due) > _MANY:
            self._due = [one for one in self._due if not one.cancelled]
            heapq.heapify(self._due)
        heapq.heappush(self._due, deadline)
        return deadline

    def close(self) -> None:
        """Nothing is watched any more."""
        self._poll.close()

    def run(self) -> None:
        """Until ``stop``, which may have been called already."""
        while not self._stopped:
            self.turn()

    def stop(self) -> None:
        """After the callback that calls it."""
        self._stopped = True

    def turn(self) -> None:
        """Wait for what comes first, and call it."""
        seen = self._poll.poll(self._wait())
        self._new.clear()
        for fd, events in seen:
            ready = self._ready.get(fd)
            if ready is not None and fd not in self._new:
                ready(events)
        while self._due and (self._due[0].cancelled or self._due[0].at <= self.now()):
            deadline = heapq.heappop(self._due)
            if not deadline.cancelled:
                deadline.call()

    def _wait(self) -> float | None:
        """Seconds until the next deadline; None for ever."""
        while self._due and self._due[0].cancelled:
            heapq.heappop(self._due)
        if not self._due:
            return None
        return max(0.0, self._due[0].at - self.now())


def broken(events: int) -> bool:
    """Whether the other end is gone or the descriptor is bad."""
    return bool(events & _GONE)


def _nothing() -> None: ...
