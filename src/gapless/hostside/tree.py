"""Processes as /proc shows them: who descends from whom, and ending all of a family."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

GRACE = 2.0
"""Seconds between TERM and KILL."""
_PR_SET_CHILD_SUBREAPER = 36


class Process:
    """What one line of /proc/PID/stat says; ``started`` in ticks since the boot."""

    __slots__ = ("group", "parent", "pid", "session", "started", "zombie")

    def __init__(
        self, pid: int, parent: int, group: int, session: int, zombie: bool, started: int
    ) -> None:
        self.pid = pid
        self.parent = parent
        self.group = group
        self.session = session
        self.zombie = zombie
        self.started = started


def read_process(pid: int) -> Process | None:
    """One process, None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    # The name in parentheses may hold anything, even ") ".
    rest = text[text.rindex(b")") + 2 :].split()
    return Process(
        pid, int(rest[1]), int(rest[2]), int(rest[3]), rest[0] in (b"Z", b"X"), int(rest[19])
    )


def snapshot() -> dict[int, Process]:
    """All processes of the host that live now."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = read_process(int(name))
            if process is not None and not process.zombie:
                found[process.pid] = process
    return found


def descendants(roots: set[int], processes: dict[int, Process]) -> set[int]:
    """Everything below ``roots``."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    queue = list(roots)
    while queue:
        for child in children.get(queue.pop(), ()):
            if child not in found:
                found.add(child)
                queue.append(child)
    return found


def family(leader: int, marker: str) -> set[int]:
    """All that a command started: its children, its group, and what carries its marker.

    The marker, a variable of the environment, finds those who left by a double fork and setsid.
    """
    processes = snapshot()
    found = {
        process.pid
        for process in processes.values()
        if leader in (process.pid, process.group, process.session) or carries(process.pid, marker)
    }
    found |= descendants(found | {leader}, processes)
    return found - {os.getpid()}


def carries(pid: int, marker: str) -> bool:
    """Whether a process has the marker in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return marker.encode() in file.read().split(b"\0")
    except OSError:
        return False


def send(pids: set[int], number: int) -> None:
    """A signal to all of them; those who are gone or not ours are skipped."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def end(members: Callable[[], set[int]], reap: Callable[[], None], grace: float = GRACE) -> bool:
    """TERM to all members, KILL to those left after ``grace``; False when some survive even that.

    ``members`` is asked again and again, since they may fork while they are being ended.
    """
    terminated: set[int] = set()
    until = time.monotonic() + grace
    while time.monotonic() < until:
        left = members()
        if not left:
            reap()  # else the last ones could still be seen, as zombies
            return True
        fresh = left - terminated
        send(fresh, signal.SIGTERM)
        send(fresh, signal.SIGCONT)  # a stopped one must wake up to end
        terminated |= fresh
        time.sleep(0.01)
        reap()
    until = time.monotonic() + GRACE
    while time.monotonic() < until:
        left = members()
        if not left:
            reap()
            return True
        send(left, signal.SIGKILL)
        time.sleep(0.01)
        reap()
    return not members()


def become_subreaper() -> bool:
    """Let those whose parents end become our children, so that none can get away."""
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False
