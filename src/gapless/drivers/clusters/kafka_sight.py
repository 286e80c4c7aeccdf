"""What one host showed of a Kafka cluster at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.drivers.clusters.kafka_view import View


@dataclass(frozen=True, slots=True)
class Sight:
    """``view`` None: it did not tell, ``why`` and ``evidence`` say how, ``next`` what helps, and
    ``code`` is that of the finding. ``began`` names the process."""

    host: str
    view: View | None = None
    why: str = ""
    evidence: str = ""
    next: str = ""
    code: str = "silent-member"
    began: str = ""
