"""What one host showed of a ZooKeeper ensemble at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.drivers.clusters.zookeeper_view import Server


@dataclass(frozen=True, slots=True)
class Sight:
    """``server`` None: it did not tell, ``why`` and ``evidence`` say how, ``next`` what helps, and
    ``code`` is that of the finding."""

    host: str
    server: Server | None = None
    why: str = ""
    evidence: str = ""
    next: str = ""
    code: str = "silent-member"
