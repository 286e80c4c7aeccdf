"""The states of a copy and what may become of each. Nothing here waits, reads or writes."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """As the page draws them."""

    BOOTING = "BOOTING"
    STANDBY = "STANDBY"
    ACTIVE = "ACTIVE"
    DRAINING = "DRAINING"


class WrongState(Exception):
    """What was asked for does not fit the state."""


class ObsoleteEpoch(Exception):
    """Whoever asks does not know of the latest handover. Holds the highest epoch that was seen."""

    def __init__(self, seen: int) -> None:
        super().__init__(seen)
        self.seen = seen


class Machine:
    """``offering``: what was kept has not been offered to the lock yet."""

    def __init__(self, epoch: int) -> None:
        self.state = State.BOOTING
        self.offering = False
        self.ends_at: float | None = None
        """When draining is over whatever is left."""
        self.for_good = False
        """It was never ACTIVE, and never will be."""
        self.ended = False
        """Nothing brings the copy back."""
        self._seen = epoch

    def see(self, epoch: int) -> None:
        """An epoch that was given out, whoever says so."""
        self._seen = max(self._seen, epoch)

    def hear(self, epoch: int) -> None:
        """The epoch of a request. Raises ObsoleteEpoch."""
        if epoch < self._seen:
            raise ObsoleteEpoch(self._seen)
        self._seen = epoch

    def booted(self) -> None:
        """The units are ready."""
        if self.state is State.BOOTING:
            self.state = State.STANDBY

    def activate(self) -> None:
        """Raises WrongState."""
        if self.state in (State.BOOTING, State.DRAINING):
            raise WrongState
        self._become_active()

    def deactivate(self, ends_at: float) -> None:
        """Raises WrongState."""
        if self.state in (State.BOOTING, State.STANDBY):
            raise WrongState
        if self.state is State.ACTIVE:
            self.state, self.ends_at = State.DRAINING, ends_at

    def abort(self) -> None:
        """Raises WrongState, also when the copy has begun to end."""
        if self.state in (State.BOOTING, State.STANDBY) or self.ended or self.for_good:
            raise WrongState
        self._become_active()

    def leave(self, ends_at: float) -> None:
        """From BOOTING or STANDBY: what was kept is offered, and no more."""
        self.state, self.ends_at, self.for_good = State.DRAINING, ends_at, True

    def offer_last(self) -> None:
        """What a copy that leaves has kept."""
        self.offering = True

    def _become_active(self) -> None:
        if self.state is not State.ACTIVE:
            self.state, self.offering, self.ends_at = State.ACTIVE, True, None

    def offered(self) -> None:
        """Nothing that was kept is left."""
        self.offering = False

    @property
    def handles(self) -> bool:
        """Whether an event that comes now is carried out."""
        return self.state is State.ACTIVE and not self.offering
