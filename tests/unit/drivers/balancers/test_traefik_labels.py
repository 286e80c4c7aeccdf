"""Traefik by the labels of containers: the suite on recorded answers, and what is particular to it.

``tests/containers/test_labels.py`` has a real engine and a real Traefik.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers import traefik_api
from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.drivers.balancers.sight import NoAnswer
from gapless.drivers.balancers.traefik_labels import TraefikLabelsBalancer
from gapless.errors import TrafficError
from gapless.model import Fence, Instance
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite, Loosen

from .fake_labels import Container, World
from .local import transport
from .machine import Machine

API = "127.0.0.1:8080"


class LabelsRig:
    """See BalancerRig. In real life each instance has its own host, with an engine and a Traefik;
    here both are in the same world."""

    can = frozenset(
        {"checks", "restart", "silence", "nonsense", "floor", "words", "maintenance", "refusal"}
    )
    nodes = 1
    instance = Instance("web", "app1", "a", "172.18.0.2")
    other = Instance("web", "app2", "a", "172.18.0.3")

    def __init__(self) -> None:
        self.world = World([Container("one", "172.18.0.2"), Container("two", "172.18.0.3")])
        self._turn = 0

    async def start(self) -> None:
        await self.world.start()
        there = f"127.0.0.1:{self.world.port}"
        ports = {API: there, "unix:/run/docker.sock": there}
        self.locals = {host: Machine(host, ports) for host in ("app1", "app2")}

    def balancer(self, **limits: Any) -> TraefikLabelsBalancer:
        labels = {"service": "web-shop", "server": "http://{address}:8080", "settle": "100ms"}
        labels |= {"api": f"http://{API}"} | limits.pop("traefik_labels", {})
        config = BalancerConfig.model_validate({"traefik_labels": labels, **limits})
        return TraefikLabelsBalancer(
            "edge", config, lambda host: transport(self.locals[host]), LoopClock()
        )

    async def hold(self, node: int) -> Loosen:
        raise NotImplementedError

    async def ask(self, node: int) -> str:
        hosts = {one.address: one.host for one in (self.instance, self.other)}
        self._turn += 1
        listed = self.world.listed
        return hosts[listed[self._turn % len(listed)]] if listed else ""

    async def healthy(self, healthy: bool) -> None:
        self.world.containers[0].own = healthy
        self.world.change()

    async def maintenance(self, node: int) -> None:
        self.world.containers[0].cord = b""
        self.world.change()

    async def refuse(self, node: int, refuses: bool) -> None:
        self.world.refuses = refuses

    async def restart(self, node: int) -> None:
        await self.world.stop()
        await self.world.start()

    async def stop(self, node: int) -> None:
        await self.world.stop()

    async def nonsense(self, node: int) -> None:
        self.world.says = b"xyzzy"


@asynccontextmanager
async def labels_rig() -> AsyncIterator[LabelsRig]:
    rig = LabelsRig()
    await rig.start()
    try:
        yield rig
    finally:
        await rig.world.stop()


class TestTraefikLabels(BalancerSuite):
    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return labels_rig()

    def test_what_it_says_of_itself_is_true(self) -> None:
        """Each instance has one node, its own host."""

        async def case(rig: BalancerRig) -> None:
            balancer = rig.balancer()
            assert balancer.hosts == () and balancer.capabilities().nodes == 1
            assert len(await balancer.members(rig.instance)) == 1
            assert (await balancer.counters(rig.instance)).errors == 0

        self.play(case)


Case = Callable[[LabelsRig], Coroutine[Any, Any, None]]


def play(case: Case) -> None:
    async def scene() -> None:
        async with labels_rig() as rig:
            await case(rig)

    asyncio.run(scene())


def test_a_drain_is_over_when_the_api_lists_it_no_more_and_requests_had_time() -> None:
    """However long Traefik takes; what the engine says is not what Traefik does."""

    async def case(rig: LabelsRig) -> None:
        rig.world.slow = 0.5
        drained = await rig.balancer().drain(rig.instance, ())
        assert drained.evidence is Evidence.INFERRED and drained.seconds >= 0.6
        assert rig.world.listed == [rig.other.address]
        assert {one.state for one in drained.members} == {MemberState.DRAINED}

    play(case)


def test_an_admit_is_over_when_the_api_lists_it() -> None:
    async def case(rig: LabelsRig) -> None:
        balancer = rig.balancer()
        await balancer.drain(rig.instance, ())
        rig.world.slow = 0.5
        (member,) = await balancer.admit(rig.instance, ())
        assert member.state is MemberState.UP and rig.instance.address in rig.world.listed

    play(case)


def test_without_an_api_time_is_all_there_is_and_it_says_so() -> None:
    async def case(rig: LabelsRig) -> None:
        balancer = rig.balancer(traefik_labels={"api": None, "settle": "300ms"})
        can = balancer.capabilities()
        assert (can.drain_evidence, can.lasts) == (Evidence.TIMED, 0.3)
        drained = await balancer.drain(rig.instance, ())
        assert drained.evidence is Evidence.TIMED and drained.seconds >= 0.3
        began = asyncio.get_running_loop().time()
        await balancer.admit(rig.instance, ())
        assert asyncio.get_running_loop().time() - began >= 0.3

    play(case)


def test_what_has_no_cord_is_left_where_it_is_and_the_plan_is_told() -> None:
    """It was made by compose alone, and is about to be replaced by one that has a cord."""

    async def case(rig: LabelsRig) -> None:
        rig.world.containers[0].corded = False
        balancer = rig.balancer()
        (member,) = await balancer.members(rig.instance)
        assert member.state is MemberState.UP and "no cord" in member.caution
        drained = await balancer.drain(rig.instance, ())
        assert (drained.evidence, drained.seconds) == (Evidence.TIMED, 0.0)
        assert {one.state for one in drained.members} == {MemberState.UP}, "never called drained"
        assert rig.world.pulls == []

    play(case)


def test_a_container_that_has_ended_is_waited_for_until_the_api_has_forgotten_it() -> None:
    async def case(rig: LabelsRig) -> None:
        balancer = rig.balancer()
        with pytest.raises(TrafficError, match="in traffic"):
            await balancer.remove(rig.instance, ())
        rig.world.slow = 0.4
        del rig.world.containers[0]
        rig.world.change()
        assert rig.instance.address in rig.world.listed
        await balancer.remove(rig.instance, ())
        assert rig.instance.address not in rig.world.listed
        (member,) = await balancer.members(rig.instance)
        assert member.state is MemberState.MISSING
        drained = await balancer.drain(rig.instance, ())
        assert drained.left == 0

    play(case)


def test_the_last_one_out_leaves_no_service_and_that_is_no_error() -> None:
    """Traefik has no service without servers."""

    async def case(rig: LabelsRig) -> None:
        balancer = rig.balancer()
        for instance in (rig.instance, rig.other):
            await balancer.drain(instance, ())
        assert rig.world.listed == []
        await balancer.admit(rig.instance, ())
        assert rig.world.listed == [rig.instance.address]

    play(case)


def test_a_traefik_that_has_just_begun_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of nobody it knows nothing yet: that says neither that nobody is there nor that it fails."""
    monkeypatch.setattr(traefik_api, "_READING", 3.0)

    async def case(rig: LabelsRig) -> None:
        balancer = rig.balancer()
        for instance in (rig.instance, rig.other):
            await balancer.drain(instance, ())
        orders = (
            partial(balancer.members, rig.instance),
            partial(balancer.remove, rig.instance, ()),
            partial(balancer.serving, [rig.instance]),
            partial(balancer.drain, rig.instance, ()),
        )
        for order in orders:
            rig.world.begun = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            began = asyncio.get_running_loop().time()
            await order()
            assert asyncio.get_running_loop().time() - began >= 1.0

    play(case)


def test_a_traefik_that_is_gone_is_not_waited_for() -> None:
    async def case(rig: LabelsRig) -> None:
        await rig.world.stop()
        began = asyncio.get_running_loop().time()
        with pytest.raises(NoAnswer):
            await rig.balancer().members(rig.instance)
        assert asyncio.get_running_loop().time() - began < 3.0

    play(case)


def test_a_cord_is_pulled_under_the_fence_of_the_host() -> None:
    async def case(rig: LabelsRig) -> None:
        fence = Fence("web", "r1", 3)
        await rig.balancer().drain(rig.instance, [fence])
        assert rig.world.pulls == ["one cut"]
        assert [one for one in rig.locals["app1"].fences if one is not None] == [fence]
        assert rig.locals["app2"].fences == []

    play(case)


def test_an_address_that_is_another_copys_now_is_left_alone() -> None:
    """The engine was started anew, and gave both those of each other."""

    async def case(rig: LabelsRig) -> None:
        rig.world.containers[0].slot = "b"
        balancer = rig.balancer()
        (member,) = await balancer.members(rig.instance)
        assert member.state is MemberState.MISSING
        await balancer.remove(rig.instance, ())
        for order in (balancer.drain, balancer.admit):
            with pytest.raises(TrafficError, match=r"at 172\.18\.0\.2 is one now") as caught:
                await order(rig.instance, ())
            assert "copy b of web" in caught.value.evidence
        assert rig.world.pulls == []
        rig.world.containers[0].slot = "a"
        await balancer.drain(rig.instance, ())
        assert rig.world.pulls == ["one cut"]

    play(case)


def test_what_cannot_be_written_to_is_told() -> None:
    async def case(rig: LabelsRig) -> None:
        rig.world.refuses = True
        with pytest.raises(TrafficError) as caught:
            await rig.balancer().drain(rig.instance, ())
        assert "the cord of one cannot be changed" in caught.value.what
        assert "read-only" in caught.value.evidence and "read_only" in caught.value.next

    play(case)


def test_an_examination_tells_who_has_a_cord() -> None:
    async def case(rig: LabelsRig) -> None:
        rig.world.containers[0].corded = False
        (verdict,) = (await rig.balancer().examine([rig.instance]))["app1"]
        assert verdict.passed and "0 of 1 have a cord" in verdict.answer
        rig.world.says = b"xyzzy"
        (verdict,) = (await rig.balancer().examine([rig.instance]))["app1"]
        assert not verdict.passed and "xyzzy" in verdict.answer

    play(case)
