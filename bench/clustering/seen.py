"""What a client saw of one roll of a whole cluster."""

from __future__ import annotations

from dataclasses import dataclass

HEADS = (
    "", "operations", "failed", "failed at first", "lost", "longest gap", "longest", "p99 before",
    "p99 during", "roll", "to naive",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """Seconds, and numbers of operations. ``first``: those whose first attempt came to nothing;
    ``lost``: writes that were acknowledged and are not there, ``unread`` those that nobody could be
    asked for; ``gap``: the longest time without any good answer; ``longest``: from when an
    operation was due to its good answer; ``gates`` and ``moves``: of the seconds those from the
    first record of the journal to the last in which no member was down, ``moves`` those in which
    leaderships were moved."""

    operations: int
    failed: int
    first: int
    lost: int
    unread: int
    gap: float
    longest: float
    before: float
    during: float
    seconds: float
    gates: float = 0.0
    moves: float = 0.0
    failures: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Nothing failed, and nothing is lost."""
        return not (self.failed or self.lost or self.unread)

    def row(self, naive: Seen | None) -> list[str]:
        """As a line of a table."""
        ratio = f"{self.seconds / naive.seconds:.2f}" if naive else "-"
        return [
            str(self.operations), str(self.failed), str(self.first),
            f"{self.lost}+{self.unread}?" if self.unread else str(self.lost),
            f"{self.gap:.2f} s", f"{self.longest:.2f} s",
            f"{self.before * 1000:.0f} ms", f"{self.during * 1000:.0f} ms",
            f"{self.seconds:.1f} s", ratio,
        ]  # fmt: skip
