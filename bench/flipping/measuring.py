"""What the kernel says about a process, and what programs write about themselves."""

from __future__ import annotations

import os
import select
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """Of the processes of one supervisor, in KiB. ``resident`` is of the first, and what the others
    have alone; ``private`` is what would be free without them, so it has what they share among
    themselves (pages shared with running copies count in part)."""

    resident: int
    private: int


def memory(pids: list[int]) -> Memory:
    """Now."""
    sizes = [_sizes(pid) for pid in pids]
    alone = [one["Private_Clean"] + one["Private_Dirty"] for one in sizes]
    private = sum(one["Pss_Anon"] + one["Private_Clean"] for one in sizes)
    return Memory(sizes[0]["Rss"] + sum(alone[1:]), private)


def _sizes(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


@dataclass(frozen=True)
class Activity:
    """Since they began: times a thread went to sleep of itself, milliseconds they ran."""

    sleeps: int
    ran: float


def activity(pids: list[int]) -> Activity:
    """Now. The difference of two is what they did between them."""
    sleeps, ran = 0, 0.0
    for thread in (thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir()):
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                sleeps += int(line.split()[1])
        ran += int((thread / "schedstat").read_text().split()[0]) / 1e6
    return Activity(sleeps, ran)


def children(pid: int) -> list[int]:
    """Of any of its threads."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(one) for thread in threads for one in (thread / "children").read_text().split()]


class Endings:
    """Waits for processes to end, without polling: seen to the moment."""

    def __init__(self, pids: set[int]) -> None:
        self._left: dict[int, int] = {}
        for pid in pids:
            try:
                self._left[os.pidfd_open(pid)] = pid
            except ProcessLookupError:
                continue

    def wait(self, seconds: float) -> bool:
        """Whether all have ended."""
        until = time.monotonic() + seconds
        poll = select.poll()
        for number in self._left:
            poll.register(number, select.POLLIN)
        while self._left and (rest := until - time.monotonic()) > 0:
            for number, _ in poll.poll(rest * 1000):
                poll.unregister(number)
                os.close(number)
                del self._left[number]
        done = not self._left
        for number in self._left:
            os.close(number)
        self._left = {}
        return done


@dataclass
class Life:
    """One process of the program by its own account; seconds of the monotonic clock."""

    ready: float = 0.0
    term: float = 0.0


@dataclass
class Times:
    """The file in which the copies note what happens to them, read as it grows."""

    path: Path
    lives: dict[int, Life] = field(default_factory=dict)
    _read: int = 0

    def look(self) -> dict[int, Life]:
        """All there were, by pid."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._read)
                text = file.read()
            self._read += len(text)
            for line in text.decode().splitlines():
                what, pid, moment = line.split()
                life = self.lives.setdefault(int(pid), Life())
                if what in ("ready", "term") and not getattr(life, what):
                    setattr(life, what, float(moment))
        return self.lives

    def ready_since(self, moment: float) -> set[int]:
        """Copies that became ready after it."""
        return {pid for pid, life in self.look().items() if life.ready > moment}

    def serving(self) -> set[int]:
        """Copies that live."""
        return {pid for pid, life in self.look().items() if life.ready and alive(pid)}


def alive(pid: int) -> bool:
    """Whether it has not ended yet; one that nobody waited for has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
