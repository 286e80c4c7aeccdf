"""What the balancers give whom, where members are named by the addresses of containers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gapless.drivers.balancers.base import Capabilities, Member, MemberState
from gapless.engine.context import InstanceContext
from gapless.engine.pools import Weighed, Weights, read
from gapless.engine.shifting import restore
from gapless.errors import TrafficError
from gapless.model import Fence, Instance, InstanceState, Observation
from gapless.plans import StepKind

PLACES = ("web1", "web1/2", "web2")
AT = {("web1", "a"): "10.0.0.1", ("web1/2", "b"): "10.0.0.2", ("web2", "a"): "10.0.0.3"}
"""Where copies run, by place and slot."""


@dataclass
class Named:
    """A balancer whose members are named by addresses: one for each copy that runs."""

    name: str = "edge"
    hosts: tuple[str, ...] = ()
    known: Collection[str] = tuple(AT.values())
    given: dict[str, int] = field(default_factory=dict)

    def capabilities(self) -> Capabilities:
        return Capabilities(weights=100, dynamic_members=True)

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        if instance.address in self.known:
            return (Member("", instance.address, MemberState.UP, weight=10),)
        return (Member("", instance.address, MemberState.MISSING, weight=0),)

    async def weights(
        self, wanted: Mapping[Instance, int], fences: Sequence[Fence]
    ) -> Mapping[Instance, tuple[Member, ...]]:
        self.given |= {one.address: weight for one, weight in wanted.items()}
        return {}


@dataclass
class Copies:
    """The two copies at a place."""

    place: str
    silent: bool = False

    def copy(self, slot: str) -> Any:
        async def observe(transport: Any) -> Observation:
            if self.silent:
                return Observation(InstanceState.UNKNOWN, detail={"status": "no engine"})
            address = AT.get((self.place, slot), "")
            state = InstanceState.RUNNING if address else InstanceState.MISSING
            return Observation(state, detail={"address": address} if address else {})

        return SimpleNamespace(observe=observe)

    async def live(self, transport: Any) -> str:
        return next(slot for place, slot in AT if place == self.place)


@dataclass(frozen=True)
class Seen:
    """As much of an instance's context as is looked at, from the first place."""

    rollout: Any
    instance: Instance = field(default_factory=lambda: Instance("shop", "web1"))
    service: Any = field(default_factory=lambda: SimpleNamespace(name="shop"))
    facts: Any = field(
        default_factory=lambda: {StepKind.PREFLIGHT: {"slot": "a", "address": "10.0.0.1"}}
    )

    @property
    def host(self) -> str:
        return self.instance.host

    @property
    def slot(self) -> str:
        return self.instance.slot

    @property
    def address(self) -> str:
        return self.instance.address

    def of(self, slot: str, address: str = "") -> Seen:
        return replace(self, instance=replace(self.instance, slot=slot, address=address))


def seen(balancer: Named, silent: str = "") -> InstanceContext:
    """The old copy is the one in slot a of web1; nothing of the new one is there."""
    assembly = SimpleNamespace(
        balancers=lambda service: (balancer,),
        hosts_of=lambda service: PLACES,
        runtime=lambda service, host="": Copies(host, silent=host == silent),
        transport=lambda host: None,
    )
    return cast("InstanceContext", Seen(SimpleNamespace(assembly=assembly, fences={})))


def test_other_places_and_hosts_count_by_the_addresses_of_their_copies() -> None:
    """Else one container would get the share of all of them."""
    weights = asyncio.run(read(seen(Named())))["edge"]
    assert weights.pool.others == 20
    assert weights.others == (
        Weighed("web1/2", "b", 10, up=True, address="10.0.0.2"),
        Weighed("web2", "a", 10, up=True, address="10.0.0.3"),
    )
    assert Weights.from_json(weights.to_json()) == weights


def test_what_was_kept_before_addresses_were_is_still_read() -> None:
    kept = {"own": 1, "new": 1, "others": [["web2", "a", 1, True]], "most": 256}
    assert Weights.from_json(kept).others == (Weighed("web2", "a", 1, up=True),)


def test_a_host_that_does_not_tell_where_its_copies_are_ends_it() -> None:
    with pytest.raises(TrafficError, match=r"nobody knows what shop@web2 gets") as caught:
        asyncio.run(read(seen(Named(), silent="web2")))
    assert "no engine" in caught.value.evidence
    assert caught.value.next == "gapless doctor --hosts web2"


def test_weights_go_back_to_the_same_addresses_and_to_nobody_who_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gapless.engine.shifting.guards", lambda ctx, balancer: ())
    balancer = Named()
    ctx = seen(balancer)

    async def scene() -> None:
        await restore(ctx, await read(ctx))

    asyncio.run(scene())
    assert balancer.given == dict.fromkeys(AT.values(), 10)
