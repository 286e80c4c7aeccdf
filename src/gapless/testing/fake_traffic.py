"""A balancer of a world, and the driver that steers it: it counts, tells the truth, and can lie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gapless.drivers.balancers.base import (
    Capabilities,
    Counters,
    Drained,
    Evidence,
    Member,
    MemberState,
)
from gapless.errors import (
    DeadlineExceeded,
    GaplessError,
    LostContact,
    TrafficError,
    Unreachable,
)
from gapless.model import Fence, Instance, Verdict
from gapless.places import machine_of
from gapless.testing.faults import Fault, What, When

if TYPE_CHECKING:
    from gapless.testing.fake_unit import FakeUnit
    from gapless.testing.world import World


MOST_WEIGHT = 256


@dataclass
class _Slot:
    """What one member really gets. ``busy_until``: when its last open connection ends."""

    weight: int
    open: bool = True
    busy_until: float = 0.0


class Traffic:
    """Where a balancer really sends requests. ``connections_last`` seconds after a drain begins
    the last open connection ends; ``check_takes`` seconds its own health check takes to see;
    ``weight`` is that of each member from the start. ``dynamic``: it has members for those alone
    that were added."""

    def __init__(
        self,
        world: World,
        name: str,
        services: Sequence[str],
        *,
        nodes: Sequence[str] = (),
        connections_last: float = 0.5,
        check_takes: float = 0.2,
        weight: int = 1,
        dynamic: bool = False,
    ) -> None:
        self.world = world
        self.dynamic = dynamic
        self.weight = weight
        self.name = name
        self.services = tuple(services)
        self.nodes = tuple(nodes)
        self.connections_last = connections_last
        self.check_takes = check_takes
        self._slots: dict[Instance, _Slot] = {}
        world.traffic[name] = self

    def slot(self, instance: Instance) -> _Slot:
        """The member of an instance, in traffic from the start."""
        return self._slots.setdefault(instance, _Slot(self.weight))

    def knows(self, instance: Instance) -> bool:
        """Whether there is a member for it."""
        return not self.dynamic or instance in self._slots

    def add(self, instance: Instance) -> None:
        """A member that is out of traffic; nothing where there is one."""
        if not self.knows(instance):
            self._slots[instance] = _Slot(self.weight, open=False)

    def forget(self, instance: Instance) -> None:
        """No member for it any more."""
        self._slots.pop(instance, None)

    def sends_to(self, unit: FakeUnit) -> bool:
        """Whether requests reach the unit."""
        return self.knows(unit.instance) and self.slot(unit.instance).open

    def take_out(self, instance: Instance) -> None:
        """No new requests; open connections end in their own time."""
        if not self.knows(instance):
            return
        slot = self.slot(instance)
        if slot.open:
            slot.open = False
            slot.busy_until = self.world.clock.monotonic() + self.connections_last
            self._tell(instance, "drain")

    def put_back(self, instance: Instance) -> None:
        """New requests again."""
        self.add(instance)
        slot = self.slot(instance)
        if not slot.open:
            slot.open = True
            self._tell(instance, "admit")

    def weigh(self, instance: Instance, weight: int) -> None:
        """From now on it gets this part of the requests, compared with all others in traffic."""
        slot = self.slot(instance)
        if slot.weight != weight:
            slot.weight = weight
            self._tell(instance, f"weight {weight}")

    def share(self, instance: Instance) -> float:
        """The part of all requests that a member gets; 0.0 where it gets none."""
        sent = {one: slot.weight for one, slot in self._slots.items() if self._gets(one)}
        return sent.get(instance, 0) / max(1, sum(sent.values()))

    def weights(self) -> dict[Instance, int]:
        """Of every member that is there."""
        return {instance: slot.weight for instance, slot in self._slots.items()}

    def _gets(self, instance: Instance) -> bool:
        """Whether it is in traffic and runs: what never ran is known to be down."""
        units = [unit for name in self.services for unit in self.world.units(name)]
        return self.slot(instance).open and any(
            unit.instance == instance and unit.running for unit in units
        )

    def _tell(self, instance: Instance, what: str) -> None:
        copy = f"/{instance.slot}" if instance.slot else ""
        self.world.record(instance.host, f"{instance.service}{copy}@{self.name}", what)
        self.world.changed(instance.host, f"{what} in {self.name}")


_ERRORS: Mapping[What, type[GaplessError]] = {
    What.REFUSE: TrafficError,
    What.EXIT: TrafficError,
    What.DEADLINE: DeadlineExceeded,
    What.LOST: LostContact,
    What.UNREACHABLE: Unreachable,
}


class FakeBalancer:
    """Drives a ``Traffic``; implements ``Balancer``. Its faults go by host ``balancer:NAME`` and
    verbs members, serving, drain, admit, weights, add, remove."""

    def __init__(
        self,
        traffic: Traffic,
        *,
        drain_timeout: float = 30.0,
        admit_timeout: float = 30.0,
        proceed: bool = True,
        poll: float = 0.1,
    ) -> None:
        self._traffic = traffic
        self._world = traffic.world
        self._drain_timeout = drain_timeout
        self._admit_timeout = admit_timeout
        self._proceed = proceed
        self._poll = poll

    @property
    def name(self) -> str:
        """Name."""
        return self._traffic.name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of its nodes."""
        return self._traffic.nodes

    def capabilities(self) -> Capabilities:
        """It counts connections."""
        return Capabilities(
            weights=MOST_WEIGHT,
            dynamic_members=self._traffic.dynamic,
            drain_evidence=Evidence.COUNTED,
            nodes=max(1, len(self._traffic.nodes)),
        )

    async def members(self, instance: Instance) -> tuple[Member, ...]:
        """What its nodes report."""
        await self._ask("members", instance)
        return self._report(instance)

    async def serving(self, instances: Collection[Instance]) -> int:
        """How many of them are reported up."""
        await self._ask("serving", None)
        known = [unit for name in self._traffic.services for unit in self._world.units(name)]
        asked = [unit for unit in known if unit.instance in instances]
        return sum(unit.serving and self._traffic.sends_to(unit) for unit in asked)

    async def examine(self, instances: Collection[Instance]) -> Mapping[str, tuple[Verdict, ...]]:
        """It is always fit."""
        return {}

    async def drain(self, instance: Instance, fences: Sequence[Fence]) -> Drained:
        """Take out and wait until idle."""
        clock, began = self._world.clock, self._world.clock.monotonic()
        await self._steer("drain", instance, fences, self._traffic.take_out)
        while True:
            members = self._report(instance)
            spent = clock.monotonic() - began
            if all(m.state in (MemberState.DRAINED, MemberState.MISSING) for m in members):
                return Drained(Evidence.COUNTED, spent, members=members)
            if spent >= self._drain_timeout:
                return self._give_up(instance, members, spent)
            await clock.sleep(self._poll)

    async def admit(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """Put back and wait until up. Requests come only after its own check passed."""
        clock, began = self._world.clock, self._world.clock.monotonic()
        fault = await self._steer("admit", instance, fences, lambda _: None)
        lies = fault is not None and fault.what is What.LIE
        while clock.monotonic() - began < self._admit_timeout:
            await clock.sleep(self._traffic.check_takes)
            if self._healthy(instance) and not lies:
                self._traffic.put_back(instance)
                return self._report(instance)
        raise TrafficError(
            f"{self.name} does not report {instance} up after {self._admit_timeout:g} s",
            where=str(instance),
            evidence=self._report(instance)[0].raw,
        )

    async def weights(
        self, wanted: Mapping[Instance, int], fences: Sequence[Fence]
    ) -> Mapping[Instance, tuple[Member, ...]]:
        """These weights, unless it lies: then it reports others."""
        for instance, weight in wanted.items():
            if not 0 <= weight <= MOST_WEIGHT:
                raise TrafficError(f"{weight} cannot be the weight of {instance}", where=self.name)
            if not self._traffic.knows(instance):
                raise TrafficError(f"{self.name} has no member {instance}", where=self.name)
            await self._steer(
                "weights", instance, fences, partial(self._traffic.weigh, weight=weight)
            )
        given = {instance: self._report(instance) for instance in wanted}
        for instance, weight in wanted.items():
            if any(member.weight != weight for member in given[instance]):
                raise TrafficError(
                    f"{self.name} does not report {instance} with weight {weight}",
                    where=str(instance),
                )
        return given

    async def add(self, instance: Instance, fences: Sequence[Fence]) -> tuple[Member, ...]:
        """A member that is out of traffic."""
        await self._steer("add", instance, fences, self._traffic.add)
        return self._report(instance)

    async def remove(self, instance: Instance, fences: Sequence[Fence]) -> None:
        """No member any more; refused while it is in traffic."""
        if any(member.state is MemberState.UP for member in self._report(instance)):
            raise TrafficError(f"{instance} is in traffic", where=self.name)
        await self._steer("remove", instance, fences, self._traffic.forget)

    async def counters(self, instance: Instance) -> Counters:
        """Nothing is counted."""
        return Counters()

    # -- inside ----------------------------------------------------------------------------------

    def _give_up(self, instance: Instance, members: tuple[Member, ...], spent: float) -> Drained:
        out = all(m.state in (MemberState.DRAINING, MemberState.DRAINED) for m in members)
        if not out or not self._proceed:
            raise TrafficError(
                f"{self.name} does not report {instance} idle after {self._drain_timeout:g} s",
                where=str(instance),
                evidence=members[0].raw,
            )
        return Drained(Evidence.TIMED, spent, left=1, members=members)

    async def _ask(self, verb: str, instance: Instance | None) -> Fault | None:
        about = str(instance or "")
        fault = self._world.faults.take(f"balancer:{self.name}", verb, about)
        await asyncio.sleep(self._world.latency)
        if fault is not None and fault.what is What.SLOW:
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.when is not When.AFTER:
            self._complain(fault)
        return fault

    async def _steer(
        self,
        verb: str,
        instance: Instance,
        fences: Sequence[Fence],
        change: Callable[[Instance], None],
    ) -> Fault | None:
        fault = await self._ask(verb, instance)
        for fence, node in zip(fences, self.hosts, strict=False):
            self._world.host(node).claims.admit(fence)
        if fault is None or fault.what is not What.LIE:
            change(instance)
        if fault is not None:
            self._complain(fault)
        return fault

    def _complain(self, fault: Fault) -> None:
        kind = _ERRORS.get(fault.what)
        if kind is not None:
            text = fault.text if fault.what is What.REFUSE else fault.what.value
            raise kind(f"{self.name}: {text}", where=self.name)

    def _healthy(self, instance: Instance) -> bool:
        host = self._world.hosts.get(machine_of(instance.host))
        units = host.units.values() if host else ()
        return any(unit.instance == instance and unit.serving for unit in units)

    def _report(self, instance: Instance) -> tuple[Member, ...]:
        if not self._traffic.knows(instance):
            nodes = self._traffic.nodes or ("",)
            return tuple(Member(n, instance.host, MemberState.MISSING, weight=0) for n in nodes)
        slot = self._traffic.slot(instance)
        busy = self._world.clock.monotonic() < slot.busy_until
        if slot.open:
            state = MemberState.UP if self._healthy(instance) else MemberState.DOWN
        else:
            state = MemberState.DRAINING if busy else MemberState.DRAINED
        return tuple(
            Member(
                node,
                instance.host,
                state,
                int(busy and not slot.open),
                slot.weight,
                raw=state.value,
            )
            for node in self._traffic.nodes or ("",)
        )
