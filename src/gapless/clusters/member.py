"""One member of a cluster, as its cluster reports it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """``id`` is its identity in the cluster: the same after a restart, another one for a node that
    came back empty. ``host`` is the name in gapless.yaml of the host that it runs on, "" where none
    of ours is known for it."""

    id: str
    host: str = ""
    address: str = ""
    zone: str = ""
    role: str = ""
    """In the system's own word: ``leader``, ``replica``, ``learner``."""
    version: str = ""
    began: str = ""
    """Names the process: another one after each start. "" where nobody can tell."""
    trouble: str = ""
    """Why it is not well; "" for one that answers and is what it should be."""

    @property
    def well(self) -> bool:
        """Whether it answers and is what it should be."""
        return not self.trouble
