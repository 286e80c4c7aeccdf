"""What /proc tells of processes, and the end of those that a copy left behind.

A copy is the leader of a session; what it starts is in that session or, when it made one of its
own, still carries the copy's ``GAPLESS_RUN`` in its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Set

MARK = "GAPLESS_RUN"
_ROUNDS = 50
"""Looks at /proc; what forks faster than it is killed ends with the machine."""


def our_children() -> list[int]:
    """Also those that were adopted, and the dead that were not waited for."""
    me = os.getpid()
    try:
        with open(f"/proc/{me}/task/{me}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except OSError:  # a kernel without it
        return [pid for pid in everybody() if parent(pid) == me]


def everybody() -> Iterator[int]:
    """All processes that can be seen."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def parent(pid: int) -> int:
    """-1 when it is gone."""
    found = _stat(pid)
    return int(found[1]) if found else -1


def within(pid: int, ancestor: int) -> bool:
    """Whether a process is another or descends from it."""
    while pid > 1 and pid != ancestor:
        pid = parent(pid)
    return pid == ancestor


def state(pid: int) -> str:
    """R runs, S sleeps, and so on; "" when it is gone."""
    return (_stat(pid) or [""])[0]


def session(pid: int) -> int:
    """-1 when it is gone, or has ended and is only waited for."""
    fields = _stat(pid)
    return int(fields[3]) if fields and fields[0] not in ("Z", "X") else -1


def marked(pid: int, mark: str) -> bool:
    """Whether it was started, at whatever remove, by the run with this mark (or one that begins
    with it, when it ends with a dash)."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            found = file.read()
    except OSError:
        return False
    wanted = f"\0{MARK}={mark}".encode()
    wanted += b"" if mark.endswith("-") else b"\0"
    return wanted in b"\0" + found


def kill_marked(mark: str) -> None:
    """Kill everything that carries the mark, until nothing is found any more."""
    kill_where(lambda pid: session(pid) != -1 and marked(pid, mark))


def kill_left(run: str, sessions: Set[int]) -> None:
    """Kill what the copies of a run left: their sessions, and what carries their marks."""
    kill_where(
        lambda pid: (
            (number := session(pid)) in sessions or (number != -1 and marked(pid, f"{run}-"))
        )
    )


def kill_where(doomed: Callable[[int], bool]) -> None:
    """Kill what ``doomed`` tells of, by pidfd: a number that was given to somebody else in the
    meantime is asked again."""
    me = os.getpid()
    for _ in range(_ROUNDS):
        found = [pid for pid in everybody() if pid != me and doomed(pid)]
        for pid in found:
            with contextlib.suppress(OSError):
                _kill(pid, doomed)
        if not found:
            return


def _kill(pid: int, doomed: Callable[[int], bool]) -> None:
    fd = os.pidfd_open(pid)
    try:
        if doomed(pid):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
    finally:
        os.close(fd)


def _stat(pid: int) -> list[str]:
    """state, ppid, pgrp, session …; [] when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
