"""What balancers are asked for of instances: a few at the same time, and what is gone once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from gapless.balancer_answers import answers_of_nodes, answers_on_hosts, by_instance
from gapless.drivers.balancers.base import Balancer, Capabilities, Member, MemberState
from gapless.engine.in_balancers import AT_ONCE, InBalancer, ask
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import TrafficError
from gapless.model import Instance

UP, MISSING = MemberState.UP, MemberState.MISSING


class Asked:
    """A balancer that notes who is asked for, and is gone from some instance on."""

    def __init__(
        self, name: str = "edge", hosts: Sequence[str] = ("lb1",), *, gone_from: int = 10**9,
        state: MemberState = UP, joins: bool = False,
    ) -> None:  # fmt: skip
        self.name = name
        self.hosts = tuple(hosts)
        self.gone_from = gone_from
        self.state = state
        self.joins = joins
        self.asked: list[Instance] = []
        self.now = self.most = 0

    def capabilities(self) -> Capabilities:
        return Capabilities(dynamic_members=self.joins)

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        self.asked.append(instance)
        number = len(self.asked)
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        if number > self.gone_from:
            raise TrafficError("the socket does not answer", where="lb1", evidence="ENOENT")
        return (Member("lb1", instance.host, self.state, raw="no such server"),)


def asked(balancer: Asked, instances: Sequence[Instance]) -> list[InBalancer]:
    return asyncio.run(ask(cast(Balancer, balancer), instances))


WEBS = [Instance("api", f"web{number}") for number in range(1, 41)]


def test_a_bounded_number_at_a_time_the_first_alone() -> None:
    balancer = Asked()
    found = asked(balancer, WEBS)
    assert [one.instance for one in found] == WEBS and balancer.asked == WEBS
    assert balancer.most == AT_ONCE
    assert all(one.objection is None and not one.out for one in found)


@pytest.mark.parametrize(("gone_from", "most"), [(0, 1), (5, 5 + AT_ONCE)])
def test_what_is_gone_is_waited_for_once(gone_from: int, most: int) -> None:
    balancer = Asked(gone_from=gone_from)
    found = asked(balancer, WEBS)
    assert len(balancer.asked) <= most
    told = [one.objection.what for one in found if one.objection]
    assert len(told) == len(WEBS) - gone_from
    assert told[-1] == (
        "balancer edge cannot be asked for api@web40: the socket does not answer"
    )  # fmt: skip


def test_what_is_silent_on_one_host_is_asked_on_the_others() -> None:
    balancer = Asked(hosts=(), gone_from=0)
    asked(balancer, WEBS)
    assert balancer.asked == WEBS


def test_no_member_is_an_objection_unless_one_may_be_made() -> None:
    (found,) = asked(Asked(state=MISSING), WEBS[:1])
    assert found.objection is not None
    assert found.objection.what == "balancer edge has no member for api@web1"
    assert found.objection.evidence == "lb1: api@web1: no such server"
    assert found.objection.next == "gapless doctor --hosts web1"
    (found,) = asked(Asked(state=MISSING, joins=True), WEBS[:1])
    assert found.objection is None


@pytest.mark.parametrize("state", [MemberState.DRAINED, MemberState.DRAINING])
def test_out_of_traffic_is_no_objection(state: MemberState) -> None:
    (found,) = asked(Asked(state=state), WEBS[:1])
    assert found.out and found.objection is None


class Assembly:
    def __init__(self, **balancers: Sequence[Asked]) -> None:
        self._balancers = balancers

    def balancers(self, service: str) -> tuple[Any, ...]:
        return tuple(self._balancers[service])


def test_a_balancer_of_two_services_is_asked_once_and_nobody_where_there_is_none() -> None:
    edge, own = Asked("edge", gone_from=0), Asked("own", hosts=())
    assembly = cast(ProjectAssembly, Assembly(api=(edge, own), site=(edge,), db=()))
    instances = [Instance(name, "web1") for name in ("api", "site", "db")]

    async def answers() -> Any:
        nodes = await answers_of_nodes(assembly, instances)
        return by_instance([*nodes, *await answers_on_hosts(assembly, instances, at_once=3)])

    found = asyncio.run(answers())
    assert edge.asked == [Instance("api", "web1")], "gone: asked for the first alone"
    assert own.asked == [Instance("api", "web1")]
    assert {i.service: [one.balancer for one in found[i]] for i in found} == {
        "api": ["edge", "own"],
        "site": ["edge"],
    }
