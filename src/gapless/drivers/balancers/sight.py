"""What one node of a balancer shows of an instance, and what can be asked of a node."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from gapless.drivers.balancers.base import Member
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, Verdict, VerdictStatus

_T = TypeVar("_T")


class NoAnswer(TrafficError):
    """A node could not be asked; while it is waited for it may come back."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one node showed of an instance at one moment."""

    member: Member
    out: bool
    """It was told to send nothing new there."""
    idle: bool
    """It reports nothing open and nothing queued there."""
    shut: bool
    """It has to be told before it sends anything there again."""
    accepted: bool
    """It reports the instance up, and no check contradicts or is still due."""
    counted: bool = True
    """Whether idle is a count, and not only a word."""
    settles: float | None = None
    """Seconds until it is idle, where that is a matter of time alone."""
    life: str = ""
    """Changes when another process answers: its predecessor may still hold connections."""
    others: int | None = None
    """How many other members it has up; None: it cannot tell."""
    trouble: TrafficError | None = None
    """Why nothing can be ordered for this instance (it is not in the balancer)."""

    def __str__(self) -> str:
        return f"{self.member.node}: {self.member.raw or self.member.state.value}"


class Node(Protocol):
    """One node of a balancer. Everything raises TrafficError, NoAnswer when it was silent."""

    @property
    def label(self) -> str:
        """Name of the node for people."""
        ...

    async def see(self, instance: Instance) -> Sight:
        """The instance as this node reports it now."""
        ...

    async def put_out(self, instance: Instance, fence: Fence | None) -> None:
        """Order it out; harmless when it is out."""
        ...

    async def put_in(
        self, instance: Instance, sight: Sight, fence: Fence | None, *, fresh: bool
    ) -> None:
        """Order it in. ``fresh``: it was replaced, so only a check passed from now on counts."""
        ...


def examined(asked: str, answer: str, trouble: TrafficError | None = None) -> Verdict:
    """What a node answered to a question that changes nothing; ``trouble`` is why it is no good."""
    if trouble is None:
        return Verdict(VerdictStatus.PASS, "balancer", asked, answer)
    told = "\n".join(filter(None, (trouble.what, trouble.evidence)))
    return Verdict(VerdictStatus.FAIL, "balancer", asked, told, trouble.next)


def all_seen(seen: Sequence[Sight | NoAnswer]) -> list[Sight]:
    """The sights; a node that was silent is an error: it may still send traffic."""
    for sight in seen:
        if isinstance(sight, NoAnswer):
            raise sight
    return answered(seen)


def answered(seen: Sequence[Sight | NoAnswer]) -> list[Sight]:
    """The sights of the nodes that were not silent."""
    return [sight for sight in seen if isinstance(sight, Sight)]


async def together(work: Iterable[Coroutine[Any, Any, _T]]) -> list[_T]:
    """All at once. Every one ends before the first error is raised, so none is left running."""
    tasks = [asyncio.ensure_future(one) for one in work]
    await asyncio.gather(*tasks, return_exceptions=True)
    # Not the outcomes of gather: a silence that was *returned* must not be taken for one raised.
    return [task.result() for task in tasks]
