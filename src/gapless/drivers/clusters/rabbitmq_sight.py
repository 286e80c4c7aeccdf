"""What one host showed of a cluster of RabbitMQ at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.drivers.clusters.rabbitmq_view import Node


@dataclass(frozen=True, slots=True)
class Sight:
    """``node`` None: it did not answer, ``why`` and ``evidence`` say how, ``next`` what helps."""

    host: str
    node: Node | None = None
    why: str = ""
    evidence: str = ""
    next: str = ""
