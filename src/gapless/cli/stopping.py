"""Ctrl-C, three times.

First: finish the current batch and stop. Second: undo the current batch, and end as a failure does:
on_failure decides about the batches before. Third: leave; the state is recorded. SIGTERM counts
like Ctrl-C; a terminal that hangs up counts once.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gapless.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from gapless.engine.interrupts import Interrupts

FINISH = "Finishing the current batch, then stopping. Ctrl-C again: undo it, as after a failure."
UNDO = "Undoing the current batch; on_failure decides about earlier ones. Ctrl-C again: leave."
LEAVE = "Leaving."


class Stopping:
    """Counts what a person asks for and passes it on."""

    def __init__(
        self, interrupts: Interrupts, say: Callable[[str], None], leave: Callable[[], object]
    ) -> None:
        self._interrupts = interrupts
        self._say = say
        self._leave = leave
        self.asked = 0

    def ask(self) -> None:
        """One more Ctrl-C."""
        self.asked += 1
        if self.asked == 1:
            self._interrupts.stop_after_batch()
            self._say(FINISH)
        elif self.asked == 2:
            self._interrupts.undo_current()
            self._say(UNDO)
        elif self.asked == 3:
            self._say(LEAVE)
            self._leave()
        else:  # leaving itself hangs
            os._exit(ExitCode.INTERRUPTED)

    def hang_up(self) -> None:
        """The terminal went away: as the first Ctrl-C, however often it says so."""
        if self.asked == 0:
            self.ask()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals go here while the body runs."""
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGINT: self.ask,
            signal.SIGTERM: self.ask,
            signal.SIGHUP: self.hang_up,
        }
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread
            for number, handler in handlers.items():
                loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            with suppress(NotImplementedError, RuntimeError, ValueError):
                for number in handlers:
                    loop.remove_signal_handler(number)
