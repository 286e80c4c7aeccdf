"""One event, and what is to be done about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, get_args

Level = Literal["at-most-once", "at-least-once", "transactional", "idempotent-key"]
"""What a crash in the middle of a handler may do: lose the event, double its effect, or neither,
because claim and effect are one transaction, or because who receives the effect honours its key."""
LEVELS: tuple[str, ...] = get_args(Level)


class Outcome(Enum):
    """What came of an event that was offered."""

    HANDLED = "handled"
    KEPT = "kept"
    """This copy handles nothing now; if it becomes active soon, it will offer the event again."""
    LEFT = "left to the other copy"
    DROPPED = "dropped"
    """The lock did not answer, and the policy is ``closed``."""


@dataclass(frozen=True, eq=False)
class Work:
    """Compared by identity: the same event may come twice."""

    id: str
    event: Any
    handle: Callable[..., Any]
    level: Level


def work_of(event_id: str | int, event: Any, handle: Callable[..., Any], once: str) -> Work:
    """Raises ValueError for a level that is none, and for an empty id."""
    if once not in LEVELS:
        raise ValueError(f"once={once!r} is no level; levels are {', '.join(LEVELS)}")
    named = str(event_id)
    if not named or "\0" in named:
        raise ValueError(f"the event id {named!r} names no event")
    return Work(named, event, handle, once)  # type: ignore[arg-type]
