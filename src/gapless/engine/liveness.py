"""Which rollouts a controller is working on now: a locked file each, so that the end of the
process, however it ends, is the end of the lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gapless.errors import LockHeld


class Liveness:
    """The locks in a folder; ``folder`` None knows only of this process, for simulations."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._ours: set[str] = set()

    @contextmanager
    def hold(self, rollout: str) -> Iterator[None]:
        """Hold it for the body; raises LockHeld when somebody else does."""
        if self._folder is None:
            yield
            return
        descriptor = os.open(self._file(rollout), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            if not _try_lock(descriptor):
                raise LockHeld(
                    f"rollout {rollout} is being worked on by another process",
                    next=f"gapless watch {rollout}",
                )
            self._ours.add(rollout)
            yield
        finally:
            self._ours.discard(rollout)
            os.close(descriptor)

    def forget(self, rollout: str) -> None:
        """Remove the file of a rollout that is over: nobody will work on it any more."""
        if self._folder is not None:
            self._file(rollout).unlink(missing_ok=True)

    def is_ours(self, rollout: str) -> bool:
        """Whether this process holds it."""
        return rollout in self._ours

    def is_held(self, rollout: str) -> bool:
        """Whether any living process holds it."""
        if self._folder is None or self.is_ours(rollout):
            return self.is_ours(rollout)
        try:
            descriptor = os.open(self._file(rollout), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(descriptor)
        finally:
            os.close(descriptor)

    def _file(self, rollout: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{rollout}.alive"


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
