"""Consul: the suite against agents that answer in Consul's shapes, and what is particular to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gapless.clock import LoopClock
from gapless.config.balancers import BalancerConfig
from gapless.drivers.balancers.base import Evidence, MemberState
from gapless.drivers.balancers.consul import ConsulBalancer
from gapless.drivers.balancers.consul_view import NonsenseError, entries, node_name
from gapless.drivers.balancers.sight import NoAnswer
from gapless.engine.steps.drain import guards
from gapless.errors import TrafficError
from gapless.model import Fence, Instance
from gapless.testing.balancer_suite import BalancerRig, BalancerSuite, until

from .consul_rig import ConsulRig, consul_rig
from .fake_consul import Agent, Datacenter, Registered
from .local import transport
from .machine import Machine


class TestConsul(BalancerSuite):
    def rig(self) -> AbstractAsyncContextManager[BalancerRig]:
        return consul_rig()


Case = Callable[[ConsulRig], Coroutine[Any, Any, None]]
FENCES = [Fence("shop.api", "r1", 3), Fence("shop.api", "r1", 8)]


def play(case: Case) -> None:
    async def scene() -> None:
        async with consul_rig() as rig:

            async def up() -> bool:
                return await rig.balancer().serving([rig.instance, rig.other]) == 2

            await until(up, "both are up")
            await case(rig)

    asyncio.run(scene())


def test_a_drain_is_timed_and_says_why_in_consul() -> None:
    async def case(rig: ConsulRig) -> None:
        balancer = rig.balancer(consul={"settle": "600ms"}, drain_timeout="200ms")
        can = balancer.capabilities()
        assert (can.drain_evidence, can.lasts) == (Evidence.TIMED, 0.6)
        drained = await balancer.drain(rig.instance, FENCES)
        assert drained.evidence is Evidence.TIMED and drained.left == 0
        assert drained.seconds >= 0.6
        assert "drained by gapless, rollout r1" in drained.members[0].raw

    play(case)


def test_out_is_what_the_catalog_says_and_not_the_agent() -> None:
    """An agent that cannot reach the servers has it in maintenance all the same."""

    async def case(rig: ConsulRig) -> None:
        agent = rig.agents[0]
        agent.sync = lambda: None  # type: ignore[method-assign]
        balancer = rig.balancer(drain_timeout="300ms", admit_timeout="300ms")
        with pytest.raises(TrafficError, match="does not stay out of traffic") as caught:
            await balancer.drain(rig.instance, ())
        assert agent.orders[0] == f"api {rig.instance.host} true"
        assert f"lb1: api {rig.instance.host} on lb1 passing" in caught.value.evidence

    play(case)


def test_every_order_and_no_question_carries_the_fence_of_its_host() -> None:
    async def case(rig: ConsulRig) -> None:
        balancer = rig.balancer()
        await balancer.drain(rig.instance, FENCES)
        await balancer.admit(rig.instance, FENCES)
        for local, fence in zip(rig.locals.values(), FENCES, strict=True):
            for said, carried in zip(local.said, local.fences, strict=True):
                assert carried == (fence if said.startswith("PUT") else None), said

    play(case)


@pytest.mark.alone
def test_being_out_again_needs_its_time_again() -> None:
    async def case(rig: ConsulRig) -> None:
        balancer = rig.balancer(consul={"settle": "400ms"})
        await balancer.drain(rig.instance, ())
        assert (await balancer.drain(rig.instance, ())).seconds < 0.4  # nothing happened since
        stranger = rig.balancer()
        await stranger.admit(rig.instance, ())
        await stranger.drain(rig.instance, ())
        assert (await balancer.drain(rig.instance, ())).seconds >= 0.4

    play(case)


def test_the_maintenance_of_a_node_is_left_to_who_ordered_it() -> None:
    async def case(rig: ConsulRig) -> None:
        rig.agents[0].node_maintenance = True

        async def out() -> bool:
            members = await rig.balancer().members(rig.instance)
            return members[0].state is not MemberState.UP

        await until(out, "the catalog has it")
        balancer = rig.balancer(admit_timeout="300ms")
        await balancer.drain(rig.instance, ())
        assert rig.agents[0].orders == []
        with pytest.raises(TrafficError, match="not reported up") as caught:
            await balancer.admit(rig.instance, ())
        assert "Node Maintenance Mode: critical" in caught.value.evidence
        assert rig.agents[0].orders == []

    play(case)


def test_a_token_is_sent_and_its_absence_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUL_TOKEN", "b1gs33cr3t")

    async def case(rig: ConsulRig) -> None:
        for agent in rig.agents:
            agent.token = "b1gs33cr3t"
        balancer = rig.balancer(consul={"token": "env:CONSUL_TOKEN"})
        await balancer.drain(rig.instance, ())
        await balancer.admit(rig.instance, ())
        with pytest.raises(TrafficError, match="does not allow it") as caught:
            await rig.balancer().drain(rig.instance, ())
        assert "set 'token'" in caught.value.next

    play(case)


def test_without_a_leader_it_is_silent_and_waited_for() -> None:
    async def case(rig: ConsulRig) -> None:
        balancer = rig.balancer(drain_timeout="10s")
        rig.agents[0].datacenter.leader = False
        with pytest.raises(NoAnswer, match="refuses with 500") as caught:
            await balancer.drain(rig.instance, ())
        assert "No cluster leader" in caught.value.evidence
        rig.agents[0].datacenter.leader = True
        balancer = rig.balancer(consul={"settle": "700ms"})
        drain = asyncio.create_task(balancer.drain(rig.instance, ()))

        async def draining() -> bool:
            return bool(rig.agents[0].orders)

        await until(draining, "it is ordered")
        rig.agents[0].datacenter.leader = False
        assert not (await asyncio.wait({drain}, timeout=1.0))[0]
        rig.agents[0].datacenter.leader = True
        drained = await asyncio.wait_for(drain, 10)
        assert {member.state for member in drained.members} == {MemberState.DRAINED}

    play(case)


def test_a_typo_gets_a_hint() -> None:
    async def case(rig: ConsulRig) -> None:
        for keys in ({"id": "apy {host}"}, {"service": "shop"}):
            with pytest.raises(TrafficError, match="has no") as caught:
                await rig.balancer(consul=keys).drain(rig.instance, ())
            assert "set 'id' and 'service'" in caught.value.next
        assert "did you mean" in str(
            (await rig.balancer(consul={"id": "apy {host}"}).examine([rig.instance]))["lb1"]
        )

    play(case)


async def _apart() -> tuple[list[Agent], dict[str, Machine], ConsulBalancer]:
    """The usual way: an agent on each host, all IDs the same, one datacenter."""
    datacenter = Datacenter()
    agents = [Agent(f"n{n}", datacenter, [Registered("shop.api", "shop.api")]) for n in (1, 2, 3)]
    machines = {}
    for number, agent in enumerate(agents, 1):
        await agent.start()
        machines[f"web{number}"] = Machine("", {"localhost:8500": f"127.0.0.1:{agent.port}"})
    config = BalancerConfig.model_validate({"consul": {"settle": "50ms"}, "floor": 1})
    made = ConsulBalancer("edge", config, lambda host: transport(machines[host]), LoopClock())
    return agents, machines, made


def test_an_instance_is_steered_at_the_agent_of_its_own_host_with_its_fence() -> None:
    async def scene() -> None:
        agents, machines, balancer = await _apart()
        web = [Instance("shop.api", f"web{n}") for n in (1, 2, 3)]
        fence = Fence("shop.api", "r1", 6)
        try:
            assert balancer.hosts == () and balancer.capabilities().nodes == 1
            assert await balancer.serving(web) == 3
            assert len(await balancer.members(web[1])) == 1
            await balancer.drain(web[1], [fence])
            assert [agent.orders for agent in agents] == [[], ["shop.api true"], []]
            assert [f for f in machines["web2"].fences if f is not None] == [fence]
            assert await balancer.serving(web) == 2
            assert [agent.passing() for agent in agents] == [["shop.api"], [], ["shop.api"]]
            await balancer.admit(web[1], [fence])
            assert await balancer.serving(web) == 3
            await agents[2].stop()  # then Consul takes it out
            assert await balancer.serving(web) == 2
            await balancer.drain(web[0], [fence])
            with pytest.raises(NoAnswer):
                await balancer.drain(web[2], [fence])
            found = await balancer.examine(web)
            assert {host: [v.passed for v in told] for host, told in found.items()} == {
                "web1": [True],
                "web2": [True],
                "web3": [False],
            }
        finally:
            for agent in agents[:2]:
                await agent.stop()

    asyncio.run(scene())


def test_a_balancer_without_nodes_is_steered_under_the_fence_of_the_instances_host() -> None:
    fences = {("shop.api", "web1"): FENCES[0], ("shop.api", "lb1"): FENCES[1]}

    def given(hosts: tuple[str, ...], host: str = "web1") -> tuple[Fence, ...]:
        ctx = SimpleNamespace(
            service=SimpleNamespace(name="shop.api"),
            rollout=SimpleNamespace(fences=fences),
            fence=fences.get(("shop.api", host)),
        )
        return guards(cast(Any, ctx), cast(Any, SimpleNamespace(hosts=hosts)))

    assert given(()) == (FENCES[0],) and given(("lb1",)) == (FENCES[1],)
    assert given((), host="web9") == ()


ENTRY = {
    "Node": {"Node": "n1"},
    "Service": {"ID": "api", "Service": "shop"},
    "Checks": [{"CheckID": "serfHealth", "Name": "Serf", "Status": "passing"}],
}


@pytest.mark.parametrize(
    ("checks", "status", "up", "out"),
    [
        ([], "passing", True, False),
        ([("serfHealth", "passing"), ("service:api", "passing")], "passing", True, False),
        ([("service:api", "warning")], "warning", True, False),
        ([("service:api", "warning"), ("serfHealth", "critical")], "critical", False, False),
        ([("_service_maintenance:api", "critical")], "critical", False, True),
        ([("_service_maintenance:another", "critical")], "critical", False, False),
        ([("_node_maintenance", "critical")], "critical", False, True),
    ],
)
def test_what_checks_mean(checks: list[tuple[str, str]], status: str, up: bool, out: bool) -> None:
    told = [{"CheckID": id_, "Name": id_, "Status": one} for id_, one in checks]
    (entry,) = entries([{**ENTRY, "Checks": told}])
    assert (entry.status, entry.up, entry.out is not None) == (status, up, out)


@pytest.mark.parametrize(
    "data",
    [None, {}, "x", [1], [{}], [{**ENTRY, "Checks": [{"CheckID": "x", "Status": "fine"}]}]],
)
def test_what_consul_never_says(data: Any) -> None:
    with pytest.raises(NonsenseError):
        entries(data)
    with pytest.raises(NonsenseError):
        node_name(data)
