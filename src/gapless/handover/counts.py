"""What happened to events, in numbers of the whole life of the process."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass
class Counts:
    """Not safe for threads; its owner has the lock."""

    claims_won: int = 0
    claims_lost: int = 0
    lock_errors: int = 0
    failed_open: int = 0
    failed_closed: int = 0
    handled: int = 0

    def status(self) -> dict[str, int]:
        """By name."""
        return asdict(self)
