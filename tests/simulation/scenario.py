"""What a seed means: services, hosts, behaviours, faults, kills."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field, replace
from typing import Any

from gapless.places import places_on
from gapless.testing.fake_unit import NEVER_READY, NEVER_STARTS, Behaviour
from gapless.testing.faults import Fault, What, When

BAD = (
    NEVER_READY,
    NEVER_STARTS,
    Behaviour(crash_after=0.7),
    Behaviour(crash_after=2.5),
    Behaviour(unhealthy_after=1.5),
)
FAULTS = (
    What.LOST,
    What.UNREACHABLE,
    What.DEADLINE,
    What.HOST_FAULT,
    What.EXIT,
    What.REBOOT,
    What.SLOW,
)
SICK = (What.REFUSE, What.LIE, What.UNREACHABLE, What.LOST, What.DEADLINE, What.SLOW)
"""What may be wrong with a balancer."""
VERBS = ("", "act", "act", "settle", "ask", "watch", "unit", "run", "put", "get", "remember")


@dataclass(frozen=True)
class SimService:
    """One service of a scenario."""

    name: str
    hosts: tuple[str, ...]
    after: tuple[str, ...]
    batch: int
    canary: int
    max_unavailable: int
    max_failed: int
    on_failure: str
    balanced: bool
    bad: dict[str, Behaviour] = field(default_factory=dict)
    order: dict[str, Any] = field(default_factory=dict)
    """More keys of its rollout: groups, spread …"""
    replicas: int = 1
    """Instances on each host."""
    cluster: dict[str, Any] = field(default_factory=dict)
    """More keys of its cluster."""

    @property
    def places(self) -> tuple[str, ...]:
        """Where each instance is."""
        return places_on(self.hosts, self.replicas)


@dataclass(frozen=True)
class Scenario:
    """Everything a seed decides."""

    seed: int
    services: tuple[SimService, ...]
    faults: tuple[Fault, ...]
    kills: tuple[tuple[int, bool], ...]
    """Journal writes at which the controllers die, one after the other; whether it committed."""
    abort: bool
    deploys: bool
    zones: dict[str, str] = field(default_factory=dict)
    stop: int = 0
    """Event at which the first controller is told to stop after its batch; 0: never."""
    beside: bool = False
    """Whether each instance has two slots, so that a new copy starts before the old one is
    stopped."""
    strategy: str = ""
    asked: tuple[str, ...] = ()
    """Services that are rolled; none: all."""
    only: str = ""
    """Hosts that are touched, as for ``--hosts``."""
    happens: Any = None
    """Called with the course before its first controller begins: what it plans, happens."""
    weight: int = 1
    """Of every member of a balancer from the start."""
    dynamic: bool = False
    """Whether members of balancers come and go with the copies."""

    @property
    def configures(self) -> bool:
        """Whether a configuration file comes with the release."""
        return self.deploys and self.seed % 2 == 0

    @property
    def reboots(self) -> bool:
        """Whether a host may go down for a reason that is not ours."""
        return any(fault.what is What.REBOOT for fault in self.faults)


def scenario(seed: int) -> Scenario:
    """The scenario of a seed; always the same."""
    chance = random.Random(seed)
    services = tuple(_service(chance, number) for number in range(chance.choice((1, 1, 2, 3))))
    hosts = sorted({host for service in services for host in service.hosts})
    faults = tuple(_fault(chance, hosts) for _ in range(chance.choice((0, 0, 1, 1, 2))))
    kills = tuple(
        (chance.randint(2, 60), chance.random() < 0.5)
        for _ in range(chance.choice((0, 0, 1, 1, 2)))
    )
    drawn = Scenario(
        seed, services, faults, kills, chance.random() < 0.2, chance.random() < 0.5
    )  # fmt: skip
    return _with_sick_balancers(chance, _in_order(chance, _in_two_goes(chance, drawn)))


def _with_sick_balancers(chance: random.Random, drawn: Scenario) -> Scenario:
    """Some have a balancer that is away, refuses or lies for a while."""
    balanced = [service.name for service in drawn.services if service.balanced]
    if not balanced or chance.random() >= 0.25:
        return drawn
    sick = tuple(_sick(chance, balanced) for _ in range(chance.choice((1, 1, 2))))
    return replace(drawn, faults=(*drawn.faults, *sick))


def _sick(chance: random.Random, services: list[str]) -> Fault:
    return Fault(
        chance.choice(SICK),
        chance.choice(tuple(When)),
        verb=chance.choice(("drain", "admit", "drain admit", "members", "serving")),
        host=f"balancer:lb-{chance.choice(services)}",
        skip=chance.randint(0, 6),
        times=chance.choice((1, 1, 2, 1000)),
        seconds=chance.choice((0.5, 5.0, 30.0)),
    )


def _in_order(chance: random.Random, drawn: Scenario) -> Scenario:
    """Some have groups, with pauses and approvals between them, and some of those zones."""
    if chance.random() >= 0.25:
        return drawn
    hosts = sorted({host for service in drawn.services for host in service.hosts})
    zones = {host: chance.choice(("a", "b", "c", "")) for host in hosts}
    services = tuple(replace(s, order=_groups(chance, s)) for s in drawn.services)
    return replace(drawn, services=services, zones=zones)


def _groups(chance: random.Random, service: SimService) -> dict[str, Any]:
    """Its hosts cut into groups, in any order; the last ones may be in none."""
    count = len(service.hosts)
    edges = sorted({0, *(chance.randint(0, count) for _ in range(3))})
    groups = [
        {
            "group": f"h[{first + 1}:{end}]" if end > first + 1 else f"h{end}",
            "batch": chance.randint(1, service.max_unavailable),
            "then": chance.choice(("0", "5s", "approve")),
        }
        for first, end in itertools.pairwise(edges)
    ]
    chance.shuffle(groups)
    return {"groups": groups, "spread": chance.choice(("none", "zone"))}


def _in_two_goes(chance: random.Random, drawn: Scenario) -> Scenario:
    """Some are stopped by a person and mostly aborted; some wait for a person wherever something
    fails, and the controller that goes on is killed."""
    kind = chance.random()
    first_lives = ((0, False), *drawn.kills)
    if kind < 0.12:
        abort = chance.random() < 0.7
        return replace(drawn, kills=first_lives, abort=abort, stop=chance.randint(5, 80))
    if kind < 0.3:
        services = tuple(replace(service, on_failure="pause") for service in drawn.services)
        kills = ((0, False), (chance.randint(2, 60), chance.random() < 0.5), *drawn.kills)
        return replace(drawn, services=services, kills=kills)
    return drawn


def _service(chance: random.Random, number: int) -> SimService:
    count = chance.choice((1, 2, 3, 4, 5))
    hosts = tuple(f"h{index}" for index in range(1, count + 1))
    after = tuple(f"s{other}" for other in range(number) if chance.random() < 0.5)
    out = chance.randint(1, max(1, count - 1))
    bad = {}
    if chance.random() < 0.35:
        for host in chance.sample(hosts, chance.choice((1, min(2, count)))):
            bad[host] = chance.choice(BAD)
    return SimService(
        f"s{number}",
        hosts,
        after,
        batch=chance.randint(1, out),
        canary=chance.choice((0, 0, 1)),
        max_unavailable=out,
        max_failed=chance.choice((0, 0, 0, 1)),
        on_failure=chance.choice(("rollback", "rollback", "stop", "pause")),
        balanced=chance.random() < 0.6,
        bad=bad,
    )


def _fault(chance: random.Random, hosts: list[str]) -> Fault:
    return Fault(
        chance.choice(FAULTS),
        chance.choice(tuple(When)),
        verb=chance.choice(VERBS),
        host=chance.choice(hosts),
        skip=chance.randint(0, 25),
        seconds=chance.choice((0.5, 5.0, 30.0)),
    )
