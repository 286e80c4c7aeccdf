"""``python -m tests.containers.mortal N before|after FILE ARGUMENTS...``: gapless that is killed by
SIGKILL at its n-th write to the journal, before that is committed or after.

With 0 it lives, and FILE holds the number of writes then.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gapless.cli.main import main
from gapless.engine.sqlite_journal import SqliteJournal
from tests.simulation.killing import WRITES


class Fate:
    """Counts the writes, and ends the process at one of them."""

    def __init__(self, dies_at: int, moment: str, told: Path) -> None:
        self._dies_at = dies_at
        self._moment = moment
        self._told = told
        self._writes = 0
        self._inside = False

    def of(self, write: Callable[..., Any]) -> Callable[..., Any]:
        """The same method; what it calls itself is no write of its own."""

        def mortal(*args: Any, **fields: Any) -> Any:
            if self._inside:
                return write(*args, **fields)
            self._writes += 1
            self._told.write_text(str(self._writes))
            self._at("before")
            self._inside = True
            try:
                return write(*args, **fields)
            finally:
                self._inside = False
                self._at("after")

        return mortal

    def _at(self, moment: str) -> None:
        if self._writes == self._dies_at and moment == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    fate = Fate(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    for name in WRITES:
        setattr(SqliteJournal, name, fate.of(getattr(SqliteJournal, name)))
    sys.argv = ["gapless", *sys.argv[4:]]
    main()
