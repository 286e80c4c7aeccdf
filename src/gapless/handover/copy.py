"""One copy of the program: what it is, what it has in work and what it keeps. For both faces; any
thread may ask it anything, and nothing here waits.

1. An event is carried out by an ACTIVE copy and kept by any other one.
2. ``look`` is called all the time: it takes ``active.lock`` when it is free, and sees that the
   units are ready.
3. A copy that becomes ACTIVE is ``offering`` until its buffer is empty. What comes meanwhile is
   kept behind the rest.
4. A copy that is told to end offers what it kept until then, and ends when that is done.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from gapless.handover.buffer import Buffer
from gapless.handover.claims.store import NoAnswer, Store
from gapless.handover.counts import Counts
from gapless.handover.endings import Obsolete
from gapless.handover.environment import Environment
from gapless.handover.machine import Machine, State
from gapless.handover.owed import Owed
from gapless.handover.seat import Seat
from gapless.handover.standing import Standing
from gapless.handover.units import Units
from gapless.handover.watched import Watched
from gapless.handover.work import Work

log = logging.getLogger("gapless.handover")

MOST_KEPT = 100_000
LATE = 1.0
"""Seconds for which a copy goes on claiming when the lock was turned off. The skew says how late an
event may come; this says how late a copy may read it on a machine that has no time for it."""


class Copy:
    """``seat`` is None for a program alone, ``store`` where there is no lock."""

    def __init__(
        self,
        environment: Environment,
        seat: Seat | None,
        store: Store | None,
        units: Units,
        limit: float,
        owner: str,
    ) -> None:
        self.environment, self.seat, self.store, self.units = environment, seat, store, units
        self.limit, self.owner = limit, owner
        self.begin: Callable[[], Any] = _no_database
        """Opens a transaction; the face says how."""
        self.machine = Machine(environment.epoch)
        self.counts = Counts()
        self.problems: dict[str, str] = {}
        self.lock_on = False
        self.took_over = False
        self.obsolete: Obsolete | None = None
        """Set when ``active.lock`` became free for a copy that nobody needs any more."""
        self.watched = Watched()
        self.followups = 0
        self._last_told: float | None = None
        self._claims_until = 0.0
        self._buffer = Buffer(environment.buffer, MOST_KEPT)
        self._owed = Owed()
        self._mutex = threading.RLock()
        self._in_work: Counter[Work] = Counter()
        if seat is None:
            self.machine.booted()
            self.machine.activate()
            self.machine.offered()
        else:
            self._sit_down(seat)

    def _sit_down(self, seat: Seat) -> None:
        at_once = self._try_active(seat)
        self.lock_on = self._lock_by(seat)
        if seat.state is None and at_once:
            self.lock_on = False
        if at_once and seat.standing is Standing.STANDBY:
            self._took_over(seat)

    # --- events

    def take(self, work: Work) -> bool:
        """True: carry it out now. False: it was kept."""
        with self._mutex:
            if self.machine.handles:
                self._in_work[work] += 1
                return True
            self._forget_old()
            self._buffer.keep(work, time.monotonic())
            return False

    def take_kept(self) -> Work | None:
        """The oldest one; None when nothing is left. A copy that is to end offers what it kept
        before it was told so, not what came since."""
        with self._mutex:
            if not self.machine.offering:
                return None
            work = self._owed.take()
            if work is None and self.machine.state is State.ACTIVE:
                work = self._buffer.take()
            if work is None:
                self.machine.offered()
            else:
                self._in_work[work] += 1
            return work

    def done(self, work: Work) -> None:
        """Its handler has come to an end, one or the other."""
        with self._mutex:
            self._in_work[work] -= 1
            if not self._in_work[work]:
                del self._in_work[work]

    def watch(self, work: Work, owner: str) -> None:
        """Stays in work until the other one has done it, or is dead."""
        with self._mutex:
            self._in_work[work] += 1
            self.watched.add(work, owner, time.monotonic())

    def watched_owners(self) -> set[str]:
        """Whose lives matter."""
        with self._mutex:
            return self.watched.owners

    def take_watched(self, dead: set[str]) -> list[Work]:
        """To be claimed again; they stay in work."""
        with self._mutex:
            return self.watched.take_due(time.monotonic(), dead)

    @contextlib.contextmanager
    def follow_up(self) -> Iterator[None]:
        """Draining waits for it."""
        with self._mutex:
            self.followups += 1
        try:
            yield
        finally:
            with self._mutex:
                self.followups -= 1

    # --- the lock

    def turn_lock(self, *, on: bool) -> None:
        """As somebody said."""
        if self.lock_on and not on:
            self._claims_until = time.monotonic() + LATE
        self.lock_on = on

    @property
    def _lock_is_for_good(self) -> bool:
        return self.lock_on or self.environment.lock_when == "always"

    @property
    def claims_needed(self) -> bool:
        """Whether an effect takes a won claim now."""
        if self.store is None or self.seat is None:
            return False
        return self._lock_is_for_good or time.monotonic() < self._claims_until

    def count(self, what: str) -> None:
        """One more of ``what``, a name in Counts."""
        with self._mutex:
            setattr(self.counts, what, getattr(self.counts, what) + 1)
            if what in ("claims_won", "claims_lost"):
                self.problems.pop("lock", None)

    def no_answer(self, why: NoAnswer) -> bool:
        """Whether the event is to be handled all the same: also where the lock is off, and only
        what comes late is claimed."""
        goes_on = self.environment.lock_fail == "open" or not self._lock_is_for_good
        with self._mutex:
            self.count("lock_errors")
            self.count("failed_open" if goes_on else "failed_closed")
            self.lock_fails(why)
        return goes_on

    def dropped(self, why: NoAnswer) -> None:
        """No answer, and the event cannot be handled without one."""
        with self._mutex:
            self.count("lock_errors")
            self.count("failed_closed")
            self.lock_fails(why)

    def lock_fails(self, why: NoAnswer) -> None:
        """Told in the status until the lock answers again, and logged when it is news."""
        if self.problems.get("lock") != f"the lock does not answer: {why}":
            self.problems["lock"] = f"the lock does not answer: {why}"
            log.error("the event lock does not answer: %s", why)

    # --- what it is

    @property
    def _is_heir(self) -> bool:
        """Nobody handles events in its place while it boots."""
        if self.seat is None or self.machine.state is not State.BOOTING:
            return False
        return self.seat.holds_active or self.seat.standing is Standing.JOINT

    def look(self) -> None:
        """At the lock and at the units, and becomes what they say."""
        with self._mutex:
            if self.seat is not None and not self.seat.holds_active:
                self._wait_for_active(self.seat)
            self._forget_old()
            if self.machine.state is State.BOOTING and self.units.all_ready:
                self.machine.booted()
            if self.machine.state is State.STANDBY and self._may_activate:
                self.machine.activate()
            self._settle()

    def _wait_for_active(self, seat: Seat) -> None:
        if self.machine.state is State.DRAINING or not self._try_active(seat):
            return
        # another orchestrator may have gone on since
        seat.read()
        self._see(seat)
        if self.machine.state in (State.BOOTING, State.STANDBY):
            waited_as = seat.standing
            try:
                seat.standing = seat.stand()
            except Obsolete as obsolete:
                self.obsolete = obsolete
                self.end()
                return
            self.lock_on = self._lock_by(seat)
            if waited_as in (Standing.STANDBY, Standing.FIRST_COME):
                self._took_over(seat)

    def _took_over(self, seat: Seat) -> None:
        self.took_over = True
        log.warning("%s takes over: nobody is active", self.environment.id)

    @property
    def _may_activate(self) -> bool:
        assert self.seat is not None
        if self.seat.standing is Standing.JOINT:
            return True
        return self.seat.holds_active and self.units.all_ready

    def _try_active(self, seat: Seat) -> bool:
        try:
            return seat.try_active()
        except OSError as error:
            self.problems["active.lock"] = f"active.lock: {error.strerror}"
            return False

    def _lock_by(self, seat: Seat) -> bool:
        return seat.state is None or seat.state.lock or seat.standing is Standing.JOINT

    def _forget_old(self) -> None:
        if not self.machine.offering and not self._is_heir:
            self._buffer.forget_old(time.monotonic())

    def _settle(self) -> None:
        if self.machine.state is State.DRAINING and not self.machine.ended:
            assert self.machine.ends_at is not None
            now = time.monotonic()
            if self._owed and self._owed.is_due(now):
                self.machine.offer_last()
            idle = not (self._in_work or self.followups or self._owed)
            self.machine.ended = idle or now >= self.machine.ends_at

    @property
    def in_work(self) -> tuple[str, ...]:
        """Ids of events."""
        with self._mutex:
            return tuple(work.id for work in self._in_work)

    @property
    def undone(self) -> tuple[str, ...]:
        """Ids of events: in work, or kept and not offered by a copy that ends."""
        with self._mutex:
            return (*self.in_work, *self._owed.ids)

    def deactivate(self, limit: float) -> None:
        """Takes nothing new, and has ``limit`` seconds for the rest. Raises WrongState."""
        with self._mutex:
            now, handled = time.monotonic(), self.machine.state is State.ACTIVE
            self.machine.deactivate(now + limit)
            if handled and self.machine.offering:
                self._owed.add(self._buffer.take_all(), now)

    def end(self) -> None:
        """TERM."""
        with self._mutex:
            if self.machine.state in (State.BOOTING, State.STANDBY):
                self._leave()
            else:
                self.deactivate(self.limit)

    def _leave(self) -> None:
        """It may have been connected when nobody else was. What the other one was sent, it has
        claimed when the skew is over."""
        self.consult()
        now, seat = time.monotonic(), self.seat
        self.machine.leave(now)
        if seat is None:
            return
        seat.let_active_go()
        state = seat.state
        if state is None or not self._buffer or self.store is None:
            return
        self.lock_on = state.lock
        if self._lock_is_for_good:
            due = now + state.skew_ms / 1000
            self._owed.add(self._buffer.take_all(), due)
            self.machine.ends_at = due + self.limit

    @contextlib.contextmanager
    def told(self, epoch: int | None) -> Iterator[None]:
        """Around what a request does; a signal carries no epoch. Raises ObsoleteEpoch."""
        with self._mutex:
            self.consult()
            if epoch is not None:
                self.machine.hear(epoch)
            self._last_told = time.monotonic()
            yield

    def consult(self) -> None:
        """Reads ``state.json``, as every request makes a copy do."""
        with self._mutex:
            if self.seat is not None:
                self.seat.read()
                self._see(self.seat)

    def _see(self, seat: Seat) -> None:
        if seat.problem:
            self.problems["state.json"] = seat.problem
        else:
            self.problems.pop("state.json", None)
        if seat.state is not None:
            self.machine.see(seat.state.latest)
            if self.store is not None:
                self.store.horizon_ms = seat.state.horizon_ms

    @property
    def stale(self) -> bool:
        """A standby whose orchestrator has not come back."""
        if self.seat is None or self.machine.state is not State.STANDBY:
            return False
        told = self._last_told
        silence = self.seat.age if told is None else time.monotonic() - told
        return silence > self.environment.max_age

    @property
    def ready(self) -> bool:
        """Every unit is connected and alive."""
        return self.machine.state is not State.BOOTING and self.units.all_ready

    @property
    def buffered(self) -> int:
        """Events that are kept."""
        return len(self._buffer) + len(self._owed)

    @property
    def buffer_dropped(self) -> int:
        """Events that a full buffer lost before their time."""
        return self._buffer.dropped


def _no_database() -> Any:
    raise NoAnswer("it is in no database")
