"""Whether members of another cluster on the same host may be stopped once more, to go back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.base import Moved
from gapless.engine.member_back import StaysUp
from gapless.engine.neighbours_back import evacuate_neighbours_to_go_back
from gapless.errors import ClusterError
from gapless.plans import StepKind

from .slept_clock import SleptClock

_HOSTS = ("h1", "h2", "h3")


class _Cluster:
    """One that leads, and two that follow; ``behind`` are in trouble until ``until``."""

    kind = "patroni"
    silent = False

    def __init__(self, name: str, clock: SleptClock, leader: str = "h1") -> None:
        self.name, self._clock, self.leader = name, clock, leader
        self.behind: tuple[str, ...] = ()
        self.until = 1e9
        self.moved: list[str] = []

    async def topology(self) -> Topology:
        if self.silent:
            raise ClusterError("nobody answers")
        behind = self.behind if self._clock.now < self.until else ()
        members = [
            Member(one, host=one, trouble="it is behind" if one in behind else "") for one in _HOSTS
        ]
        in_sync = frozenset(one.id for one in members if one.well)
        group = Group("shop", Kind.PRIMARY, _HOSTS, self.leader, in_sync=in_sync, minimum=1)
        return Topology(by_id(members), {"shop": group}, asked=_HOSTS)

    async def unsafe(self, *_: object) -> tuple[()]:
        return ()

    async def evacuate(self, member: str, to: Any, within: float, fence: Any) -> tuple[Moved, ...]:
        self.moved.append(member)
        self.leader = next(one for one in _HOSTS if one not in (member, *self.behind))
        return (Moved("shop", self.leader),)

    async def restore(self, *_: object) -> None:
        pass


class _Site:
    """etcd and PostgreSQL on the same hosts; etcd of h2 goes back."""

    def __init__(self) -> None:
        self.clock = SleptClock()
        self.etcd = _Cluster("etcd", self.clock)
        self.store = _Cluster("store", self.clock)

    def cluster(self, name: str) -> _Cluster:
        return {"etcd": self.etcd, "store": self.store}[name]

    def neighbours(self, _: str) -> dict[str, tuple[str, ...]]:
        return {"store": _HOSTS}

    def service(self, _: str) -> Any:
        return SimpleNamespace(cluster=SimpleNamespace(transfer=5.0))

    def goes_back(self, *, force: str = "") -> float:
        """The seconds until it does."""
        service = SimpleNamespace(
            name="etcd", hosts=_HOSTS, key_prefix="1", reserve=1,
            batches=[SimpleNamespace(hosts=("h2",))],
        )  # fmt: skip
        rollout = SimpleNamespace(
            clock=self.clock, steps={}, plan=SimpleNamespace(force=force), assembly=self
        )
        ctx: Any = SimpleNamespace(
            rollout=rollout, service=service, host="h2", instance="etcd@h2", fence=None,
            facts={StepKind.EVACUATE: {"member": "h2"}}, key=lambda kind: kind,
        )  # fmt: skip
        asyncio.run(evacuate_neighbours_to_go_back(ctx))
        return self.clock.now


def test_one_that_is_back_stays_while_another_one_of_a_neighbour_is_in_trouble() -> None:
    """Stopped once more it would take the last standby with it."""
    site = _Site()
    site.store.behind = ("h3",)
    with pytest.raises(StaysUp, match="may not be stopped to go back: store on the") as told:
        site.goes_back()
    assert "h3" in told.value.evidence and "just what it needs" in told.value.evidence
    assert "cluster.neighbours: leave" in told.value.next


def test_who_leads_there_stays_meanwhile() -> None:
    site = _Site()
    site.store.behind, site.store.leader = ("h3",), "h2"
    with pytest.raises(StaysUp):
        site.goes_back()
    assert not site.store.moved


def test_what_is_over_soon_is_waited_for() -> None:
    site = _Site()
    site.store.behind, site.store.until, site.store.leader = ("h3",), 1.0, "h2"
    assert 1 <= site.goes_back() < 3
    assert site.store.moved == ["h2"]


@pytest.mark.parametrize("behind", [(), ("h2",), ("h2", "h3")])
def test_with_one_of_theirs_in_trouble_here_it_goes_back(behind: tuple[str, ...]) -> None:
    site = _Site()
    site.store.behind = behind
    assert site.goes_back() == 0


def test_one_in_trouble_itself_goes_back() -> None:
    site = _Site()
    site.etcd.behind, site.store.behind = ("h2",), ("h3",)
    assert site.goes_back() == 0


@pytest.mark.parametrize("silent", ["etcd", "store"])
def test_who_cannot_be_asked_does_not_keep_it(silent: str) -> None:
    """Ours may be the reason."""
    site = _Site()
    site.cluster(silent).silent = True
    site.store.behind = ("h3",)
    assert site.goes_back() == 0


def test_with_a_reason_it_goes_back_all_the_same() -> None:
    site = _Site()
    site.store.behind = ("h3",)
    assert site.goes_back(force="known") == 0
