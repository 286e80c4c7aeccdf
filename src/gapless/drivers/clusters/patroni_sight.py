"""What one host showed of a cluster of Patroni at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.drivers.clusters.patroni_view import Settings, Status, View


@dataclass(frozen=True, slots=True)
class Sight:
    """``url`` is where the member was asked; ``status`` None: nobody answered there, ``view`` and
    the others None: it did not tell of the cluster. ``why`` is what went wrong, ``evidence`` what
    was asked and answered."""

    host: str
    url: str = ""
    status: Status | None = None
    view: View | None = None
    settings: Settings | None = None
    past: int | None = None
    """The last timeline that has ended."""
    why: str = ""
    evidence: str = ""
    next: str = ""
