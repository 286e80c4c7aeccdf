"""Since when a server of ZooKeeper has its role, and what tells one process from the next.

1. ZooKeeper names no process. ``zk_uptime`` is that of a role, no more: an election lets it begin
   anew. ``zk_looking_count`` counts the elections that a process took part in, and
   ``zk_bytes_received_count`` what it was sent: both begin anew with a process alone.
2. A role that began at the same time is that of the same process.
3. A later one is that of another process where a count is smaller than before, or where no
   election more was counted: one process gets a new role by an election only.
4. Else nothing shows it, and nothing is claimed.

Times are by the clock of the machine gapless runs on, so that they hold for the next controller,
too: a clock that is set back while a member restarts lets it look like the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

_SLACK = 1.0
"""Seconds by which a clock may be corrected meanwhile."""


@dataclass(frozen=True, slots=True)
class Life:
    """``since``: seconds since the epoch; no later than then the role began, and no earlier than
    ``width`` seconds before."""

    since: float
    elections: int
    received: int
    width: float = 0.0

    def __str__(self) -> str:
        return f"{self.since:.1f}/{self.elections}/{self.received}"

    def is_role_of(self, other: Life) -> bool:
        """Whether it is the same role, as far as clocks tell."""
        earliest = self.since - self.width
        return earliest <= other.since + _SLACK and other.since - other.width <= self.since + _SLACK

    def named(self, before: Life | None) -> Life:
        """The one of before while the role lasts: what is worked out from an uptime is a little
        different each time, and is to have one name."""
        if before is None or self.elections != before.elections or self.is_another(before):
            return self
        return before

    def is_another(self, before: Life) -> bool:
        """Whether it is the life of another process for sure."""
        if self.elections < before.elections or self.received < before.received:
            return True
        return not self.is_role_of(before) and self.elections == before.elections


def recalled(text: str) -> Life | None:
    """What ``str`` made of one; None for anything else."""
    try:
        since, elections, received = text.split("/")
        return Life(float(since), int(elections), int(received))
    except ValueError:
        return None
