"""Whether the member of a cluster may be stopped once more, to go back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id
from gapless.engine.member_back import StaysUp, evacuate_to_go_back

from .slept_clock import SleptClock

_HOSTS = ("pg1", "pg2", "pg3")


class _Cluster:
    """One that leads, and two that follow; ``behind`` are in trouble until ``until``."""

    name = kind = "store"

    def __init__(self, clock: SleptClock, behind: tuple[str, ...], until: float) -> None:
        self._clock, self._behind, self._until = clock, behind, until

    async def topology(self) -> Topology:
        behind = self._behind if self._clock.now < self._until else ()
        members = [
            Member(one, host=one, trouble="it is behind" if one in behind else "") for one in _HOSTS
        ]
        in_sync = frozenset(one.id for one in members if one.well)
        group = Group("shop", Kind.PRIMARY, _HOSTS, leader="pg1", in_sync=in_sync, minimum=1)
        return Topology(by_id(members), {"shop": group}, asked=_HOSTS)

    async def unsafe(self, *_: object) -> tuple[()]:
        return ()


def _goes_back(*behind: str, until: float = 1e9, force: str = "") -> float:
    """The seconds until pg2 does."""
    clock = SleptClock()
    service = SimpleNamespace(
        name="store", hosts=_HOSTS, key_prefix="1", reserve=1,
        batches=[SimpleNamespace(hosts=("pg2",))],
    )  # fmt: skip
    cluster = _Cluster(clock, behind, until)
    rollout = SimpleNamespace(
        clock=clock, steps={"evacuate": True}, plan=SimpleNamespace(force=force),
        assembly=SimpleNamespace(cluster=lambda _: cluster),
    )  # fmt: skip
    ctx: Any = SimpleNamespace(
        rollout=rollout, service=service, host="pg2", instance="store@pg2", key=lambda kind: kind
    )
    asyncio.run(evacuate_to_go_back(ctx))
    return clock.now


def test_one_that_is_well_stays_while_another_one_is_not() -> None:
    """It has rejoined: stopped once more it would leave the leader alone."""
    with pytest.raises(StaysUp, match="may not be stopped to go back") as told:
        _goes_back("pg3")
    assert "pg3" in told.value.evidence and "just what it needs" in told.value.evidence


def test_what_is_over_soon_is_waited_for() -> None:
    assert 1 <= _goes_back("pg3", until=1.0) < 3


@pytest.mark.parametrize("behind", [(), ("pg2",), ("pg2", "pg3")])
def test_one_in_trouble_goes_back(behind: tuple[str, ...]) -> None:
    assert _goes_back(*behind) == 0


def test_with_a_reason_it_goes_back_all_the_same() -> None:
    assert _goes_back("pg3", force="known") == 0
