"""Our child processes: which we wait for ourselves, which are strays to be reaped."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Children:
    """Starts processes and knows them, so that reaping strays never steals a status."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[int] = set()

    def spawn(self, argv: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start one; the lock keeps the reaper away until it is known."""
        with self._lock:
            process = subprocess.Popen(argv, **options)
            self._known.add(process.pid)
        return process

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Its status has been read."""
        with self._lock:
            self._known.discard(process.pid)

    def none(self) -> bool:
        """Whether we have no child at all; then, as all orphans come to us, no descendant."""
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        return False

    def reap_strays(self) -> None:
        """Take the status of ended processes that came to us as subreaper."""
        while True:
            with self._lock:
                pid = _first_ended()
                if pid is None or pid in self._known:
                    return
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def _first_ended() -> int | None:
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended else None


CHILDREN = Children()
