"""TERM while the outcome of a flip is waited for.

systemd stops a unit that is being reloaded by telling all of it to end, ``ExecReload=`` as well.
The supervisor then answers at once that it is being stopped: that is no failure of the reload's
own, and we end like every program that was asked to. Else TERM ends us as it always does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

CODE = 128 + signal.SIGTERM
"""Of a program that ended because it was asked to."""
_PATIENCE = 5.0


class Held:
    """``heard`` when TERM has come."""

    heard = False

    def take(self, _number: int, _frame: FrameType | None) -> None:
        """Leave a moment for the answer."""
        self.heard = True
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)


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
