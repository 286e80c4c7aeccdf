"""What has to happen before anything that takes time to import."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Sequence
from types import FrameType

_WORDS = frozenset(("status", "rollback", "wait", "stop", "adopt", "-h", "--help"))
"""Behind ``run``: nothing is supervised."""
_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_OBJECTS = 10_000


def collect_seldom() -> None:
    """Look for garbage after so many objects: what is imported stays, and looking through it again
    and again takes a tenth of the start."""
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])


def hold_signals(argv: Sequence[str]) -> None:
    """Block all signals when this process is going to be a supervisor: one that comes now is
    obeyed later, where by itself it would end us. Blocked signals stay so over an exec. Who is told
    to end does so at once: nothing was started yet."""
    if argv[1:2] != ["run"]:
        return
    ours = argv[2 : argv.index("--")] if "--" in argv else argv[2:]
    if _WORDS.intersection(ours):
        return
    obeyed = {one for one in _ENDING if signal.getsignal(one) is not signal.SIG_IGN}
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - obeyed)
    for one in obeyed:
        signal.signal(one, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    """By the signal itself, which process 1 does not die of."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)
