"""A fleet in virtual time: hosts, units, balancers, faults, and a log of what really happened.

    world = World(seed=7)
    for name in ("web1", "web2"):
        world.host(name).add_unit("shop.service", service="shop", port=80).run_already()
    world.hold_floor("shop", least=1)
    world.faults.add(Fault(What.LOST, When.AFTER, verb="act", host="web1"))
    ...
    world.check()          # raises with every breach of the floor, at the moment it happened

Everything that changes is told to the hooks at once, so an invariant is checked at every instant
and not only at the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_source import MemoryTree
from gapless.testing.fake_traffic import Traffic
from gapless.testing.fake_transport import FakeTransport
from gapless.testing.fake_unit import FakeUnit
from gapless.testing.faults import Fault, Faults, What, When
from gapless.testing.virtual_time import VirtualClock

if TYPE_CHECKING:
    from gapless.testing.fake_cluster import FakeMembers

Hook = Callable[["World"], str | None]
"""Called upon each change; a text is a breach."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that really happened: ``what`` is restart, reload, stop, start, crash,
    auto-restart, boot, drain, admit, power off, power on."""

    at: float
    host: str
    unit: str
    what: str

    def __str__(self) -> str:
        return f"{self.at:10.3f}  {self.host:12} {self.what:12} {self.unit}"


class World:
    """Everything a rollout acts upon. The same seed takes the same course."""

    def __init__(self, seed: int = 0, *, latency: float = 0.001) -> None:
        self.random = random.Random(seed)  # noqa: S311 - simulated chance, not a secret
        self.clock = VirtualClock()
        self.latency = latency
        self.hosts: dict[str, FakeHost] = {}
        self.faults = Faults()
        self.sources: dict[str, Path | MemoryTree] = {}
        """In-memory folders that ``push`` takes instead of the path of this name."""
        self.traffic: dict[str, Traffic] = {}
        """What the balancers really do, by name."""
        self.clusters: dict[str, FakeMembers] = {}
        """What services that are clusters really are, by service."""
        self.history: list[Deed] = []
        self.calls: list[tuple[float, str, str, str]] = []
        """Every call of a transport: time, host, verb, what it was about."""
        self.breaches: list[str] = []
        self._hooks: list[Hook] = []
        self._identities = 0

    # -- building --------------------------------------------------------------------------------

    def host(self, name: str) -> FakeHost:
        """A host, made at first use."""
        if name not in self.hosts:
            self.hosts[name] = FakeHost(self, name)
        return self.hosts[name]

    def transport(self, host: str) -> FakeTransport:
        """A new connection to a host, as each controller has its own."""
        self.host(host)
        return FakeTransport(self, host)

    def new_identity(self) -> tuple[str, int]:
        """An InvocationID and a main PID nothing had before."""
        self._identities += 1
        return f"{self._identities:032x}", 1000 + self._identities

    def wall(self, moment: float) -> float:
        """The wall time of a moment of the loop's time."""
        return self.clock.now() - self.clock.monotonic() + moment

    def step_controller(self, seconds: float) -> None:
        """Set the controller's wall clock alone; the clocks of the hosts go on as they were."""
        self.clock.step(seconds)
        for host in self.hosts.values():
            host.step_clock(-seconds)

    # -- what happened ---------------------------------------------------------------------------

    def record(self, host: str, unit: str, what: str) -> None:
        """Log a deed."""
        self.history.append(Deed(self.clock.monotonic(), host, unit, what))

    def deeds(self, *what: str, host: str = "", unit: str = "") -> list[Deed]:
        """What happened of these kinds, at a host, to a unit."""
        return [
            deed
            for deed in self.history
            if deed.what in what and host in ("", deed.host) and unit in ("", deed.unit)
        ]

    def kill_controller(self) -> None:
        """Every session breaks, as when the process that held them is killed."""
        for host in self.hosts.values():
            host.drop_sessions("the controller is gone")

    # -- who serves ------------------------------------------------------------------------------

    def units(self, service: str) -> list[FakeUnit]:
        """All instances of a service."""
        return [
            unit
            for host in self.hosts.values()
            for unit in host.units.values()
            if unit.service == service
        ]

    def serving(self, service: str) -> int:
        """Instances that get traffic (where a balancer decides) and answer it well; of two copies
        of one either will do."""
        units = (unit for unit in self.units(service) if unit.serving and self.in_traffic(unit))
        return len({unit.place for unit in units})

    def exposed(self, service: str) -> list[str]:
        """Hosts that a balancer sends traffic to and that do not answer well: lost requests. What
        never ran is known to be down."""
        return [
            unit.place
            for unit in self.units(service)
            if unit.invocation and not unit.serving
            if self._balanced(service) and self.in_traffic(unit)
        ]

    def in_traffic(self, unit: FakeUnit) -> bool:
        """Whether requests reach it; without a balancer they always do."""
        deciding = self._balanced(unit.service)
        return not deciding or any(traffic.sends_to(unit) for traffic in deciding)

    def _balanced(self, service: str) -> list[Traffic]:
        return [traffic for traffic in self.traffic.values() if service in traffic.services]

    # -- invariants ------------------------------------------------------------------------------

    def on_change(self, hook: Hook) -> None:
        """Have an invariant checked upon each change."""
        self._hooks.append(hook)

    def hold_floor(self, service: str, least: int) -> None:
        """At no instant fewer than ``least`` instances serve."""

        def floor(world: World) -> str | None:
            serving = world.serving(service)
            if serving >= least:
                return None
            return f"{serving} of {service} serve, the floor is {least}"

        self.on_change(floor)

    def changed(self, host: str, what: str) -> None:
        """Something changed: every hook looks."""
        for hook in self._hooks:
            breach = hook(self)
            if breach is not None:
                at = self.clock.monotonic()
                self.breaches.append(f"{at:.3f} s, {host}: {what}: {breach}")

    def check(self) -> None:
        """Raise AssertionError when an invariant was ever breached."""
        if self.breaches:
            lines = [*self.breaches[:20], "what happened:", *map(str, self.history[-60:])]
            raise AssertionError("\n".join(lines))


__all__ = ["Deed", "Fault", "Faults", "What", "When", "World"]
