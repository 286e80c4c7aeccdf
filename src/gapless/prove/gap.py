"""What clients missed, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed request: seconds since the first request was due, and what came back."""

    at: float
    what: str


@dataclass(frozen=True, slots=True)
class Gap:
    """The measured gap. Times in seconds; percentiles are of good answers, None without any.

    ``late`` requests are the prover's own fault (its machine stalled): they were not sent when due,
    or were cut by a stall, and nothing they could have shown is held against the service.
    """

    sent: int = 0
    failed: int = 0
    late: int = 0
    longest_silence: float = 0.0
    """The longest time without any good answer, without the prover's own stalls."""
    p50_before: float | None = None
    p99_before: float | None = None
    p50_during: float | None = None
    p99_during: float | None = None
    failures: tuple[Failure, ...] = ()
    """The first ones."""
    versions: Mapping[str, int] = field(default_factory=dict)
    """Good answers per ``version`` of their JSON bodies."""
    seconds: float = 0.0
    rate: float = 0.0
    """Requests per second that were sent."""
    rate_wanted: float = 0.0
    failed_new: int = 0
    """Failures on new connections."""
    failed_kept: int = 0
    """Failures on connections kept alive."""

    def to_json(self) -> dict[str, Any]:
        """Plain data for events and reports."""
        return {
            "sent": self.sent,
            "failed": self.failed,
            "late": self.late,
            "longest_silence": round(self.longest_silence, 4),
            "p50_before": _rounded(self.p50_before),
            "p99_before": _rounded(self.p99_before),
            "p50_during": _rounded(self.p50_during),
            "p99_during": _rounded(self.p99_during),
            "failures": [{"at": round(f.at, 3), "what": f.what} for f in self.failures],
            "versions": dict(self.versions),
            "seconds": round(self.seconds, 3),
            "rate": round(self.rate, 2),
            "rate_wanted": self.rate_wanted,
            "failed_new": self.failed_new,
            "failed_kept": self.failed_kept,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Gap:
        """The gap an event holds."""
        failures = tuple(Failure(f["at"], f["what"]) for f in data.get("failures", ()))
        known = {name: data[name] for name in cls.__slots__ if name in data}
        return cls(**{**known, "failures": failures})

    def __str__(self) -> str:
        words = [f"{self.sent} sent", f"{self.failed} failed"]
        words.append(f"longest silence {_milliseconds(self.longest_silence)}")
        if self.p99_before is not None and self.p99_during is not None:
            before, during = _milliseconds(self.p99_before), _milliseconds(self.p99_during)
            words.append(f"p99 {before} before, {during} during")
        if self.late:
            words.append(f"{self.late} late by the prover itself")
        return ", ".join(words)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
