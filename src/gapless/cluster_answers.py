"""What clusters say of themselves when a plan is made; nothing is changed by asking."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from gapless.clock import Clock
from gapless.engine.members import objections, silent
from gapless.engine.neighbour_members import neighbours_of, objections_of_neighbours
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import GaplessError
from gapless.planning.survey import SeenCluster


async def answers_of_clusters(
    assembly: ProjectAssembly,
    clock: Clock,
    names: Iterable[str],
    hosts: Mapping[str, Sequence[str]],
) -> dict[str, SeenCluster]:
    """By service, of those that are clusters; ``hosts`` are those that a rollout would touch."""
    asked = [name for name in names if assembly.cluster(name) is not None and hosts.get(name)]
    found = await asyncio.gather(*(_ask(assembly, clock, name, hosts[name]) for name in asked))
    return dict(zip(asked, found, strict=True))


async def _ask(
    assembly: ProjectAssembly, clock: Clock, name: str, hosts: Sequence[str]
) -> SeenCluster:
    cluster = assembly.cluster(name)
    assert cluster is not None
    alone = [(host,) for host in hosts]
    try:
        topology, found = await objections(cluster, clock, alone)
        found += await objections_of_neighbours(assembly, clock, name, alone)
        beside = (one.service for one in neighbours_of(assembly, name) if one.beside(hosts))
        return SeenCluster(topology, found, tuple(beside))
    except GaplessError as error:
        return SeenCluster(None, (silent(cluster, error),))
