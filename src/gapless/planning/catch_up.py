"""Who gets which release, when hosts are caught up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gapless.engine.missed import Missed


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The release that hosts get, None when nobody missed one; and hosts that missed an older one,
    with its name."""

    missed: Missed | None = None
    older: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Sequence[Missed]) -> CatchUp:
        """Of several the newest comes first."""
        older = {host: one.name for one in found[1:] for host in one.hosts}
        return cls(found[0] if found else None, older)

    @property
    def hosts(self) -> frozenset[str]:
        """Those that get it."""
        return frozenset(self.missed.hosts if self.missed else ())
