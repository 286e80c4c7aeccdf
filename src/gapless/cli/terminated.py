"""TERM while the outcome of a flip is waited for.

systemd stops a unit that is being reloaded by telling all of it to end, ``ExecReload=`` as well.
The supervisor then answers at once that it is being stopped: that is no failure of the reload's
own, and we end like every program that was asked to. It is told first, so its answer may be here
before TERM is. Else TERM ends us as it always does.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CODE = 128 + signal.SIGTERM
"""Of a program that ended because it was asked to."""
_PATIENCE = 5.0
_MOMENT, _LOOK = 1.0, 0.01
"""Seconds in which systemd tells the second one to end, and between two looks."""


class Held:
    """``heard`` when TERM has come."""

    heard = False

    def take(self, _number: int, _frame: FrameType | None) -> None:
        """Leave a moment for the answer."""
        self.heard = True
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)

    def wait(self) -> None:
        """Until TERM has come, for a moment."""
        until = time.monotonic() + _MOMENT
        while not self.heard and time.monotonic() < until:
            time.sleep(_LOOK)


@contextmanager
def held() -> Iterator[Held]:
    """While an answer is waited for."""
    term = Held()
    before = signal.signal(signal.SIGTERM, term.take), signal.signal(signal.SIGALRM, _end)
    try:
        yield term
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGALRM, before[1])


def _end(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
