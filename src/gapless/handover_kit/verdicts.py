"""What came of a case, and how a case says so while it is played."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Unknown is never a pass."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case that was played."""

    case: str
    outcome: Outcome
    why: str
    """One sentence; empty for a pass."""
    evidence: tuple[str, ...]
    """What was done, asked and answered, in its order."""
    seconds: float

    def to_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "case": self.case,
            "outcome": self.outcome.value,
            "why": self.why,
            "evidence": list(self.evidence),
            "seconds": round(self.seconds, 2),
        }


class Failed(Exception):
    """The program does not do what the page says."""


class CannotTell(Exception):
    """Neither: says what is missing."""
