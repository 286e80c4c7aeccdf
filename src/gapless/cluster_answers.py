"""What clusters say of themselves when a plan is made; nothing is changed by asking."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from gapless.clock import Clock
from gapless.clusters.finding import Finding
from gapless.engine.members import objections
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
    try:
        return SeenCluster(*await objections(cluster, clock, [(host,) for host in hosts]))
    except GaplessError as error:
        silent = Finding("silent", cluster.kind, error.what, error.evidence, error.next)
        return SeenCluster(None, (silent,))
