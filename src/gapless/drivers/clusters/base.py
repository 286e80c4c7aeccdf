"""What every cluster driver answers, and what it may be told.

1. All reads come from more than one member; members that disagree are a finding, never a choice.
2. What was ordered is never believed: it holds when the cluster reports it.
3. Whatever an order changes for the time of a restart (a pause, a mode of maintenance) ends by
   itself, or ``restore`` takes it back, also after the controller was killed.
4. Where a group has a preferred leader, that one leads it again after its restart, so that leaders
   do not pile up on those that were restarted first. Nobody is undone for a leadership that does
   not come back.
5. A fence is that of the member's own host. Hosts count their rollouts apart: an order for another
   host is given without one, after the member's host has admitted it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gapless.clusters.finding import Finding
from gapless.clusters.topology import Topology
from gapless.model import Fence

GIVEN_BACK = 10.0
"""Seconds for the leaderships that a member gets back."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One leadership that was to leave a member. ``to`` is who has it now; ``why`` is "" where it
    has left."""

    group: str
    to: str = ""
    why: str = ""
    seconds: float = 0.0

    @property
    def left(self) -> bool:
        """Whether the member does not lead it any more."""
        return not self.why


@dataclass(frozen=True, slots=True)
class Rejoined:
    """How far a member that was restarted has come. ``lag`` is what it still has to catch up, in
    the system's own unit, None where nobody knows; ``why`` says what is missing."""

    done: bool
    why: str = ""
    lag: int | None = None


class Cluster(Protocol):
    """One cluster. Everything raises GaplessError (ClusterError where the cluster is at fault)."""

    @property
    def name(self) -> str:
        """That of its service in gapless.yaml."""
        ...

    @property
    def kind(self) -> str:
        """The driver: ``etcd``, ``redis-sentinel``."""
        ...

    async def topology(self) -> Topology:
        """As it is now, asked anew of all members that answer."""
        ...

    async def unsafe(self, topology: Topology, members: Sequence[str]) -> tuple[Finding, ...]:
        """What of this system alone speaks against stopping these members together now; what holds
        for every cluster (slack, leaders, full groups) is judged elsewhere."""
        ...

    async def evacuate(
        self, member: str, targets: Sequence[str], within: float, fence: Fence | None
    ) -> tuple[Moved, ...]:
        """Moves every leadership that it holds, to the best follower of each group: one of
        ``targets`` where one is in sync, and of several the one that has got furthest. Returns when
        it leads nothing, or after ``within`` seconds, with what became of each. Harmless for a
        member that leads nothing."""
        ...

    async def seal(self, member: str, fence: Fence | None) -> str:
        """Has it write down what it holds, by its own command. What was done, in a few words; ""
        where its orderly stop does it."""
        ...

    async def rejoined(self, member: str, before: Topology) -> Rejoined:
        """Whether it is back: the same identity as in ``before``, another process, caught up, and
        in every group as before."""
        ...

    async def restore(self, member: str, fence: Fence | None) -> None:
        """Takes back what was ordered for the time of its restart; harmless where nothing was."""
        ...


@runtime_checkable
class PrefersLeaders(Protocol):
    """What a driver can do besides where groups have preferred leaders."""

    async def prefer(self, member: str) -> tuple[Moved, ...]:
        """A member that is back leads again what it is the preferred leader of, where it is in
        sync. What became of each that it did not lead: ``why`` is "" where another one than before
        leads it now. Its own host has admitted the rollout just before: the orders are for hosts
        of others."""
        ...
