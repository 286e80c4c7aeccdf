"""What one host's command showed of a cluster at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.drivers.clusters.command_view import View


@dataclass(frozen=True, slots=True)
class Sight:
    """``view`` None: there was no answer, ``why`` and ``evidence`` say how, ``next`` what helps."""

    host: str
    view: View | None = None
    why: str = ""
    evidence: str = ""
    next: str = ""
