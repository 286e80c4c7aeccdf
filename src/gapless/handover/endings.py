"""How a copy ends before it has connected to anything. Nobody has to catch a ``SystemExit``."""

from __future__ import annotations

import sys

OBSOLETE = 75
MISCONFIGURED = 78


class BadVariable(SystemExit):
    """A variable of the environment holds what is none: status 78."""

    def __init__(self, name: str, value: str, why: str) -> None:
        super().__init__(MISCONFIGURED)
        self.name = name
        self.why = why
        shown = f"={value}" if value else ""
        print(f"handover: {name}{shown}: {why}", file=sys.stderr, flush=True)


class Obsolete(SystemExit):
    """Another epoch has taken over: status 75, and a supervisor must not start the copy again."""

    def __init__(self, name: str, epoch: int, latest: int) -> None:
        super().__init__(OBSOLETE)
        self.name = name
        print(
            f"handover: {name} is of epoch {epoch}, and {latest} was given out since: obsolete",
            file=sys.stderr,
            flush=True,
        )
