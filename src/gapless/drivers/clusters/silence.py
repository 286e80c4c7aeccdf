"""A cluster of which nobody tells anything. No side effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gapless.errors import ClusterError


class Tried(Protocol):
    """A host that was asked, and why nothing came of it."""

    @property
    def host(self) -> str:
        """Its name."""
        ...

    @property
    def why(self) -> str:
        """What was wrong, in words."""
        ...

    @property
    def evidence(self) -> str:
        """What it said, or did."""
        ...

    @property
    def next(self) -> str:
        """What to do about it."""
        ...


def nobody_tells(cluster: str, sights: Sequence[Tried], of: str) -> ClusterError:
    """``of``: what they were asked of."""
    return ClusterError(
        f"none of {len(sights)} hosts tells {of}",
        where=cluster,
        evidence="\n".join(f"{one.host}: {one.why}\n{one.evidence}".strip() for one in sights),
        next=next((one.next for one in sights if one.next), ""),
    )
