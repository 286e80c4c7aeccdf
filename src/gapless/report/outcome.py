"""How a rollout ended, and the exit code each ending has."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Outcome(StrEnum):
    """The endings there are. Only the first two are good news."""

    DONE = "done"
    NOTHING_TO_DO = "nothing_to_do"
    REFUSED = "refused"
    RESTORED = "restored"
    """Failed; the old version is restored and verified."""
    MIXED = "mixed"
    """Failed; versions are mixed or something is not restored: a person is needed."""
    LOCK_HELD = "lock_held"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"

    @property
    def exit_code(self) -> int:
        """The exit code of the command that ends so."""
        return EXIT_CODES[self]

    @property
    def good(self) -> bool:
        """Whether nothing went wrong."""
        return self in (Outcome.DONE, Outcome.NOTHING_TO_DO)


EXIT_CODES: Mapping[Outcome, int] = MappingProxyType(
    {
        Outcome.DONE: 0,
        Outcome.NOTHING_TO_DO: 0,
        Outcome.REFUSED: 3,
        Outcome.RESTORED: 4,
        Outcome.MIXED: 5,
        Outcome.LOCK_HELD: 6,
        Outcome.PAUSED: 7,
        Outcome.INTERRUPTED: 130,
    }
)
"""Never 0 after a rollback."""


def parse_outcome(text: str) -> Outcome | None:
    """The outcome an event names, however it is spelled (``lock held``, ``LOCK_HELD``)."""
    slug = text.strip().lower().replace(" ", "_").replace("-", "_")
    return next((outcome for outcome in Outcome if outcome.value == slug), None)
