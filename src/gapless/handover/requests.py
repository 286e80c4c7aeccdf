"""What a copy may be told to do, by a request or by a signal."""

from __future__ import annotations

from gapless.handover.copy import Copy


class Requests:
    """All raise ObsoleteEpoch, and but for the lock WrongState. A signal carries no epoch."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy

    def set_lock(self, epoch: int | None, *, on: bool) -> None:
        """On for every event from now on; off for those that come when what was late has come."""
        with self._copy.told(epoch):
            self._copy.turn_lock(on=on)

    def activate(self, epoch: int | None) -> None:
        """What was kept is offered next."""
        with self._copy.told(epoch):
            self._copy.machine.activate()

    def deactivate(self, epoch: int | None, seconds: float | None) -> None:
        """``seconds`` is None where nobody set a deadline."""
        with self._copy.told(epoch):
            patience = self._copy.limit if seconds is None else seconds
            self._copy.deactivate(patience)

    def abort(self, epoch: int | None) -> None:
        """What came while it drained is offered next."""
        with self._copy.told(epoch):
            self._copy.machine.abort()
