"""Which service goes when: waves, cycles, the critical path.

Pure arithmetic over names and seconds, used to plan and to run, so that both mean the same order.
A service starts when everything it comes after is done; when more are ready than may run at the
same time, the one with the longest chain still behind it goes first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from gapless.plans import Batch, ServicePlan, StepKind

MIGRATION_SECONDS = 20.0
"""What a migration is taken to last until somebody knows better."""

Graph = Mapping[str, Iterable[str]]
"""Service to the services it comes after."""


def cycles(after: Graph) -> tuple[tuple[str, ...], ...]:
    """Every independent cycle as ``a, b, a`` (a comes after b, b after a)."""
    left = {name: set(before) for name, before in after.items()}
    found = []
    while cycle := _a_cycle(left):
        path = tuple(reversed(cycle))
        left[path[0]].discard(path[1])
        found.append(path)
    return tuple(found)


def _a_cycle(after: Graph) -> Sequence[str]:
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        cycle: Sequence[str] = error.args[1]
        return cycle
    return ()


def ordered(after: Graph) -> tuple[str, ...]:
    """Names with everything before what comes after it, else in the order given."""
    level = waves(after)
    return tuple(sorted(after, key=level.__getitem__))


def waves(after: Graph) -> dict[str, int]:
    """Level of each service in the dependency order, from 1."""
    level: dict[str, int] = {}
    for name in TopologicalSorter(after).static_order():
        level[name] = 1 + max((level[before] for before in after.get(name, ())), default=0)
    return level


def among(chosen: Iterable[str], after: Graph) -> dict[str, tuple[str, ...]]:
    """Dependencies between the chosen services, also through services that are not chosen."""
    names = list(chosen)
    wanted = frozenset(names)
    reached: dict[str, frozenset[str]] = {}
    for name in TopologicalSorter(after).static_order():
        reached[name] = frozenset().union(
            *(({before} if before in wanted else reached[before]) for before in after.get(name, ()))
        )
    position = {name: index for index, name in enumerate(names)}
    return {name: tuple(sorted(reached[name], key=position.__getitem__)) for name in names}


def apart(after: Graph, pairs: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """With each of a pair after the other one, in the order that there is: those that must not be
    at work at the same time."""
    placed = {name: tuple(before) for name, before in after.items()}
    both = {(one, other) for one, others in pairs.items() for other in others}
    earlier: list[str] = []
    for name in ordered(after):
        placed[name] += tuple(
            one
            for one in earlier
            if one not in placed[name] and not both.isdisjoint({(one, name), (name, one)})
        )
        earlier.append(name)
    return placed


def remaining(seconds: Mapping[str, float], after: Graph) -> dict[str, float]:
    """Seconds from the start of each service to the end of the longest chain that needs it."""
    followers: dict[str, list[str]] = {name: [] for name in seconds}
    for name, before in after.items():
        for earlier in before:
            if earlier in followers:
                followers[earlier].append(name)
    chain: dict[str, float] = {}
    for name in TopologicalSorter(followers).static_order():
        chain[name] = seconds[name] + max((chain[f] for f in followers[name]), default=0.0)
    return chain


def makespan(seconds: Mapping[str, float], after: Graph, parallel: int) -> float:
    """Seconds for all of it with ``parallel`` services at the same time (list scheduling)."""
    chain = remaining(seconds, after)
    sorter = TopologicalSorter({name: after.get(name, ()) for name in seconds})
    sorter.prepare()
    ready: list[tuple[float, str]] = []
    running: list[tuple[float, str]] = []
    now = 0.0
    while sorter.is_active():
        for name in sorter.get_ready():
            heapq.heappush(ready, (-chain[name], name))
        while ready and len(running) < parallel:
            _, name = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[name], name))
        now, name = heapq.heappop(running)
        sorter.done(name)
    return now


def service_seconds(service: ServicePlan) -> float:
    """Expected seconds of one service: its batches one after another, shares that are held, pauses,
    the migration. How long a person takes to approve, nobody knows."""
    batches = len(service.batches)
    migration = MIGRATION_SECONDS if StepKind.MIGRATE in service.steps else 0.0
    pauses = sum(pause_after(service, batch) for batch in service.batches[:-1])
    return batches * service.expected + service.held + pauses + migration


def pause_after(service: ServicePlan, batch: Batch) -> float:
    """Seconds between a batch and the next: what its group says, else what the service says."""
    return batch.wait if batch.wait or batch.approve else service.pause


def priorities(services: Sequence[ServicePlan]) -> dict[str, float]:
    """Which service to start first when several are ready: the greater number."""
    return remaining(_seconds(services), _after(services))


def expected(services: Sequence[ServicePlan], parallel: int) -> float:
    """Seconds for all services along the critical path."""
    return makespan(_seconds(services), _after(services), parallel)


def _seconds(services: Sequence[ServicePlan]) -> dict[str, float]:
    return {service.name: service_seconds(service) for service in services}


def _after(services: Sequence[ServicePlan]) -> dict[str, tuple[str, ...]]:
    return {service.name: service.after for service in services}
