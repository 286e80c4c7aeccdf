"""What a member still leads when it is about to be stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from gapless.clusters.group import Group, Kind
from gapless.clusters.member import Member
from gapless.clusters.topology import Topology, by_id
from gapless.drivers.clusters.base import Moved
from gapless.engine.steps.evacuate import Evacuate
from gapless.errors import ClusterError

from .slept_clock import SleptClock

_HOSTS = ("n1", "n2", "n3")


class _Cluster:
    """n1 leads two streams, of which SOLO is on no other server."""

    name = kind = "store"

    def __init__(self) -> None:
        self.leader = "n1"

    async def topology(self) -> Topology:
        orders = Group("ORDERS", Kind.QUORUM, _HOSTS, self.leader, frozenset(_HOSTS), 2)
        solo = Group("SOLO", Kind.QUORUM, ("n1",), "n1", frozenset({"n1"}), 1)
        members = by_id(Member(one, host=one) for one in _HOSTS)
        return Topology(members, {one.id: one for one in (orders, solo)}, asked=_HOSTS)

    async def unsafe(self, *_: object) -> tuple[()]:
        return ()

    async def evacuate(self, *_: object) -> tuple[Moved, ...]:
        self.leader = "n2"
        return (Moved("ORDERS", "n2"), Moved("SOLO", why="there is no other replica"))

    async def restore(self, *_: object) -> None:
        pass

    async def seal(self, *_: object) -> str:
        return ""


def _evacuated(force: str) -> Mapping[str, Any]:
    cluster, config = _Cluster(), SimpleNamespace(transfer=5.0)
    assembly = SimpleNamespace(
        cluster=lambda _: cluster,
        neighbours=lambda _: {},
        service=lambda _: SimpleNamespace(cluster=config),
    )
    rollout = SimpleNamespace(
        clock=SleptClock(), steps={}, plan=SimpleNamespace(force=force), assembly=assembly,
        again=False,
    )  # fmt: skip
    service = SimpleNamespace(
        name="store", hosts=_HOSTS, key_prefix="1", reserve=1, installs=(),
        batches=[SimpleNamespace(hosts=("n1",))],
    )  # fmt: skip
    ctx: Any = SimpleNamespace(
        rollout=rollout, service=service, host="n1", instance="store@n1", fence=None, facts={},
        config=SimpleNamespace(cluster=config), emit=lambda *_, **__: None,
    )  # fmt: skip
    return asyncio.run(Evacuate().act(ctx, {}, "1"))


def test_what_a_forced_stop_takes_with_it_is_named() -> None:
    facts = _evacuated("the page says so")
    assert (facts["moved"], facts["leads"]) == (1, ["SOLO"])


def test_without_force_it_is_not_stopped() -> None:
    with pytest.raises(ClusterError, match="SOLO"):
        _evacuated("")
