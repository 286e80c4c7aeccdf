"""Signals for where no socket can be had. They carry no epoch and have no answer."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable

from gapless.handover.copy import Copy
from gapless.handover.machine import WrongState
from gapless.handover.requests import Requests


def meanings(copy: Copy) -> dict[signal.Signals, Callable[[], None]]:
    """What each signal does; none of it raises or waits."""
    requests = Requests(copy)
    return {
        signal.SIGUSR2: _forgiving(lambda: requests.activate(None)),
        signal.SIGTSTP: _forgiving(lambda: requests.deactivate(None, None)),
        signal.SIGTTIN: lambda: requests.set_lock(None, on=True),
        signal.SIGTTOU: lambda: requests.set_lock(None, on=False),
        signal.SIGTERM: copy.end,
    }


def _forgiving(act: Callable[[], None]) -> Callable[[], None]:
    def quietly() -> None:
        with contextlib.suppress(WrongState):
            act()

    return quietly
