"""What speaks against stopping a Redis server, with or without Sentinel."""

from __future__ import annotations

from gapless.clusters.finding import Finding

UNSAVED = "nothing is written: neither save nor appendonly is set, it copies all from its master"
"""What a stop does of a server that keeps nothing."""


def unpersisted(member: str) -> Finding:
    """A master that comes back empty: its replicas would copy the emptiness."""
    return Finding(
        code="redis-unpersisted-master",
        where=member,
        what="it is the master and has neither save nor appendonly set: started again in place it "
        "comes back empty, and its replicas throw away what they have",
        evidence="CONFIG GET save → '', CONFIG GET appendonly → no",
        next=f"move the master away first, or on {member}: CONFIG SET appendonly yes",
        absolute=True,
    )
