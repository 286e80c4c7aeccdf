"""What one host showed of a cluster of NATS at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.drivers.clusters.nats_view import Server


@dataclass(frozen=True, slots=True)
class Sight:
    """``server`` None: it did not answer, ``why`` and ``evidence`` say how, ``next`` what helps."""

    host: str
    server: Server | None = None
    why: str = ""
    evidence: str = ""
    next: str = ""
