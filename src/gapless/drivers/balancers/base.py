"""The balancer contract: traffic away from an instance and back, observed and not assumed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from gapless.model import Fence, Instance, Verdict


class Evidence(StrEnum):
    """How sure a drain is."""

    COUNTED = "COUNTED"
    """The balancer counted its open connections down to zero."""
    INFERRED = "INFERRED"
    """Something else shows it (old workers gone)."""
    TIMED = "TIMED"
    """Only time passed."""


class MemberState(StrEnum):
    """What a balancer reports of a member."""

    UP = "up"
    DRAINING = "draining"
    DRAINED = "drained"
    DOWN = "down"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Member:
    """One instance as one node of the balancer sees it. ``connections`` None: not counted.

    ``checked`` tells whether a health check of the balancer has passed since the last change
    (HAProxy: UP alone does not say so)."""

    node: str
    name: str
    state: MemberState
    connections: int | None = None
    weight: int | None = None
    checked: bool = True
    raw: str = ""
    caution: str = ""
    """What its next drain will cost, where that is more than others cost; for the plan."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a balancer can do and what that costs, for plan, strategy and reference; told from its
    keys alone, without asking anybody."""

    weights: int = 0
    """The largest weight of a member; 0 where members have none."""
    keeps_weights: bool = True
    """Whether a drain and an admit leave the weight of a member alone."""
    dynamic_members: bool = False
    survives_reload: bool = True
    """Whether what it was told still holds after it read its configuration again."""
    resets_keepalives: bool = False
    """Whether each drain and each admit closes idle keep-alive connections of clients."""
    loses_new: bool = False
    """Whether each drain and each admit may lose a few connections that clients just open."""
    nodes: int = 1
    drain_evidence: Evidence = Evidence.TIMED
    """The best it can have."""
    shown_by: str = ""
    """What shows that a drain is over where that is INFERRED, as the end of "inferred from …"."""
    lasts: float | None = None
    """Seconds of a drain where that is TIMED; None: all of ``drain_timeout``."""


@dataclass(frozen=True, slots=True)
class Drained:
    """Outcome of a drain: the evidence, seconds it took, connections left at the limit."""

    evidence: Evidence
    seconds: float
    left: int = 0
    members: tuple[Member, ...] = ()
    note: str = ""
    """What a person should know of how it came to that."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Requests since the balancer started, per member and summed over nodes.

    ``lives`` names the process of each node that counted: where that is another one, its count
    began anew. ``detail`` holds the figures of each node."""

    requests: int = 0
    errors: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)
    lives: Mapping[str, str] = field(default_factory=dict)

    def began_anew(self, before: Counters) -> tuple[str, ...]:
        """Nodes that count from 0 since ``before``: another process answers there."""
        return tuple(n for n, life in self.lives.items() if before.lives.get(n, life) != life)


class Balancer(Protocol):
    """One named balancer. All of its nodes must agree before a step is done."""

    @property
    def name(self) -> str:
        """Name in gapless.yaml."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts whose fences guard it (where its nodes are). None at all: each instance is steered
        on its own host, under the fence of that."""
        ...

    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """The instance as every node sees it now."""
        ...

    async def serving(self, instances: Collection[Instance]) -> int | None:
        """Least number of these that any node reports up: what the floor is held against. None
        where nobody can know."""
        ...

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """Whether it could be steered, by host (as in ``hosts``): what is there and answers, and
        whether these are in it. Changes nothing. Each remedy is in ``wanted``."""
        ...

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Take it out on every node and wait until each reports it idle. A member that is out
        already is fine. Raises TrafficError with the nodes' answers."""
        ...

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """Put it back and wait until every node reports it up after a passed check."""
        ...

    async def counters(self, instance: Instance) -> Counters:
        """Requests and errors it has seen."""
        ...


@runtime_checkable
class Readmits(Protocol):
    """A balancer that takes its time to trust a member whose copy is another one than before."""

    async def readmit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """Admit one whose copy went on since it was drained, without that time: what its checks
        found meanwhile they found of the same copy."""
        ...


@runtime_checkable
class WeighsMembers(Protocol):
    """What a balancer with ``Capabilities.weights`` can do besides."""

    async def weights(
        self, wanted: Mapping[Instance, int], fences: Sequence[Fence]
    ) -> Mapping[Instance, tuple[Member, ...]]:
        """Give members these weights on every node and wait until each reports them. In or out of
        traffic they stay. Raises TrafficError."""
        ...


@runtime_checkable
class AddsMembers(Protocol):
    """What a balancer with ``Capabilities.dynamic_members`` can do besides."""

    async def add(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """Have a member for it on every node; a new one gets no traffic before it is admitted."""
        ...

    async def remove(self, instance: Instance, fences: Sequence[Fence]) -> None:
        """Have no member for it any more on any node. It has to be out of traffic and idle."""
        ...


@runtime_checkable
class TellsDelay(Protocol):
    """A balancer that has a delay of its own for drains, and has to be asked for it."""

    async def drain_delay(self) -> float:
        """Seconds for which it reports draining, whether anything is left or not."""
        ...
