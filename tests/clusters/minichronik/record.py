"""What etcd says of a partition."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    leader: int
    """0 for nobody."""
    epoch: int
    """Of the leadership; 0 before the first."""
    isr: tuple[int, ...]
    revision: int = 0

    def packed(self) -> str:
        return json.dumps({"leader": self.leader, "epoch": self.epoch, "isr": sorted(self.isr)})


def unpacked(text: str, revision: int) -> Record:
    said = json.loads(text)
    return Record(said["leader"], said["epoch"], tuple(said["isr"]), revision)
