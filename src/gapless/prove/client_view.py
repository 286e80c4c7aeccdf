"""What a client of one cluster saw, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gapless.prove.gap import Gap


@dataclass(frozen=True, slots=True)
class ClientView:
    """``service`` is that of gapless.yaml, ``kind`` its system. ``gap`` counts operations, writes
    and reads alike: its latencies begin when one was due, and hold all that was tried again."""

    service: str
    kind: str
    gap: Gap = field(default_factory=Gap)
    retried: int = 0
    """Operations whose first attempt came to nothing."""
    acknowledged: int = 0
    """Writes that the cluster said it has."""
    lost: int = 0
    """Of those, the ones that are not there at the end."""
    unread: int = 0
    """Of those, the ones that nobody could be asked for at the end."""
    first_lost: tuple[int, ...] = ()
    """Their numbers, a few."""
    left: str = ""
    """What could not be removed, and why."""
    unmeasured: str = ""
    """Why there was no client at all."""

    def to_json(self) -> dict[str, Any]:
        """Plain data for events and reports."""
        if self.unmeasured:
            return {"service": self.service, "kind": self.kind, "unmeasured": self.unmeasured}
        gap = self.gap.to_json()
        same = ("failed", "late", "p50_before", "p99_before", "p50_during", "p99_during")
        return {
            "service": self.service,
            "kind": self.kind,
            "operations": gap["sent"],
            "longest_gap": gap["longest_silence"],
            **{name: gap[name] for name in (*same, "failures", "seconds", "rate", "rate_wanted")},
            "retried": self.retried,
            "acknowledged": self.acknowledged,
            "lost": self.lost,
            "unread": self.unread,
            "first_lost": list(self.first_lost),
            "left": self.left,
        }
