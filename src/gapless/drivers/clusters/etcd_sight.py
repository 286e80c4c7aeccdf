"""What one host showed of a cluster of etcd at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gapless.drivers.clusters.etcd_view import Listed, Status


@dataclass(frozen=True, slots=True)
class Sight:
    """``url`` is where the member was asked; ``status`` None: nobody answered there, ``listed``
    None: it did not tell of the others. ``began`` names its process. ``why`` is what went wrong,
    ``evidence`` what was asked and answered, ``refused``: it does not let us in."""

    host: str
    url: str = ""
    status: Status | None = None
    listed: Mapping[str, Listed] | None = None
    began: str = ""
    why: str = ""
    evidence: str = ""
    refused: bool = False
    next: str = ""
