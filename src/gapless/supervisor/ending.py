"""How an old copy ends.

1. Wait the configured delay.
2. With a proxy: wait until its connections have ended, no longer than the limit.
3. Send the stop signal and wait for its end, no longer than the limit.
4. Kill it and everything it started.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from gapless.supervisor.copy import Copy
from gapless.supervisor.loop import Deadline, Loop
from gapless.supervisor.spec import Stop

WhenIdle = Callable[[Copy, Callable[[], None]], None]
"""Calls once the copy has no proxied connection any more."""


class Ending:
    """One copy on its way out; ``late`` (with what) is called when a limit has come, ``gone``
    when nothing of it is left."""

    def __init__(
        self, loop: Loop, copy: Copy, gone: Callable[[], None], late: Callable[[str], None]
    ) -> None:
        self._loop, self.copy, self._gone, self._late = loop, copy, gone, late
        self._number: int = copy.spec.stop.signal
        self._deadline: Deadline | None = None
        self._stop: Stop = copy.spec.stop
        self.until = 0.0
        """When it is killed, by the monotonic clock; 0 while that is not known."""
        self.from_outside = False
        """Whether somebody outside wanted it to end; it hears the other signals as well then."""
        self._after_delay: Callable[[], None] | None = None
        copy.on_end = self._over

    def begin(self, when_idle: WhenIdle) -> None:
        """All four steps."""
        if not self.copy.alive:
            self._over()
            return
        self._after_delay = lambda: self._drain(when_idle)
        self._after(self._stop.delay, self._after_delay)

    def hurry(self) -> None:
        """The delay is for those who still come to it, and nobody does any more."""
        if self._after_delay is not None:
            self._after(0.0, self._after_delay)

    def at_once(self, number: int | None = None) -> None:
        """Without delay: somebody outside wants it to end, or it never served."""
        if not self.copy.alive:
            self._over()
            return
        self._signal(self._stop.signal if number is None else number)

    def go_on(self, until: float) -> None:
        """It was told to stop, and may take until then."""
        self.until = until
        self._after(until - self._loop.now(), self._kill)

    def extend(self, seconds: float) -> None:
        """It asks to be given so long from now on; it may do so again."""
        until = self._loop.now() + seconds
        if self.copy.alive and 0 < self.until < until:
            self.go_on(until)

    def _drain(self, when_idle: WhenIdle) -> None:
        self._after_delay = None
        waiting = [True]

        def proceed() -> None:
            if waiting:
                waiting.clear()
                self._signal(self._stop.signal)

        def cut() -> None:
            self._late(f"had connections after {self._stop.timeout:g} s: told to stop")
            proceed()

        self._after(self._stop.timeout, cut)
        when_idle(self.copy, proceed)

    def _signal(self, number: int) -> None:
        assert self.copy.child is not None
        self.copy.times.setdefault("told", self._loop.now())
        self._number = number
        self.copy.child.signal(number)
        self.until = self._loop.now() + self._stop.timeout
        self._after(self._stop.timeout, self._kill)

    def _kill(self) -> None:
        if self.copy.alive and self.copy.child is not None:
            took = round(self._loop.now() - self.copy.times.get("told", self._loop.now()), 1)
            self._late(f"did not end within {took:g} s of {_name(self._number)}: killed")
            self.copy.child.kill_all()

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None
        if seconds > 0:
            self._deadline = self._loop.after(seconds, call)
        else:
            call()

    def _over(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self.copy.close()
        self._gone()


def _name(number: int) -> str:
    """As in a run file."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return f"signal {number}"
