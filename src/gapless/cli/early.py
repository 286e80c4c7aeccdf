"""What has to happen before anything that takes time to import."""

from __future__ import annotations

import signal
from collections.abc import Sequence

_WORDS = frozenset(("status", "rollback", "wait", "stop", "adopt", "-h", "--help"))
"""Behind ``run``: nothing is supervised."""


def hold_signals(argv: Sequence[str]) -> None:
    """Block all signals when this process is going to be a supervisor: one that comes now is
    obeyed later, where by itself it would end us. Blocked signals stay so over an exec."""
    if argv[1:2] != ["run"]:
        return
    ours = argv[2 : argv.index("--")] if "--" in argv else argv[2:]
    if not _WORDS.intersection(ours):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
