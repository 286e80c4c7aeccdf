"""Who has an instance out of traffic, as far as gapless did it: what hosts remember of it, and the
journal of hosts that could not be told."""

from __future__ import annotations

from collections.abc import Mapping

from gapless.engine.journal import Journal
from gapless.engine.left_out import drained_by, who_drained
from gapless.engine.project_assembly import ProjectAssembly
from gapless.model import Instance
from gapless.places import claim_name
from gapless.planning.survey import KeptOut


class KeptOutBy:
    """Tells it of any instance of a project."""

    def __init__(self, assembly: ProjectAssembly, journal: Journal) -> None:
        self._assembly = assembly
        self._journal = journal
        self._lost: Mapping[Instance, str] = {
            Instance(lock.service, lock.host): lock.rollout for lock in journal.locks() if lock.host
        }
        """Those that still obey a rollout which has ended, and lost them."""

    async def of(self, instance: Instance) -> KeptOut:
        """Asks its host."""
        service = claim_name(self._assembly.project, instance.service, instance.host)
        known = await self._assembly.transport(instance.host).recall(service)
        told = known.get("by_hand")
        return KeptOut(
            by_hand=who_drained(told) if told else "",
            left_out=bool(known.get("left_out")) or self._drained_and_lost(instance),
        )

    def _drained_and_lost(self, instance: Instance) -> bool:
        rollout = self._lost.get(instance)
        if rollout is None:
            return False
        return drained_by(self._journal, rollout, instance.service, instance.host)
