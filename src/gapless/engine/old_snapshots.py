"""Copies that earlier rollouts left on a host: the newest stay, and those still needed.

1. The newest ``KEEP`` of a service stay, by the time their folder last changed.
2. So do those of this rollout, of the one it takes back, of rollouts that are not over, and of the
   last one that ``gapless rollback`` would take back.
3. What cannot be removed stays and is told; the rollout goes on. Nothing is lost for good: the
   journal holds every file, and a way back writes missing copies anew.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from gapless.engine.context import InstanceContext
from gapless.engine.perform import reconnect
from gapless.errors import ActionFailed, GaplessError, LostContact
from gapless.model import Command
from gapless.plans import StepKind, Verb

KEEP = 5
"""Rollouts of a service whose copies stay on each host."""

_LOOK_BACK = 50
"""Rollouts of the project among which the last good one is looked for."""


async def prune_snapshots(ctx: InstanceContext) -> tuple[str, ...]:
    """Remove what is no longer needed; ids of the rollouts whose copies went. A host that does
    not let them go makes an event, never an error."""
    if not ctx.facts.get(StepKind.SNAPSHOT, {}).get("runtime", {}).get("stored"):
        return ()  # a runtime without files keeps no copies
    needed = frozenset(_needed(ctx))
    try:
        return await _prune(ctx, needed)
    except GaplessError as error:
        ctx.emit("step.skipped", "prune", why=f"older snapshots were left: {error.what}")
        if isinstance(error, LostContact):  # whoever comes next needs the host again
            with contextlib.suppress(GaplessError):
                await reconnect(ctx, error)
        return ()


async def _prune(ctx: InstanceContext, needed: frozenset[str]) -> tuple[str, ...]:
    root = PurePosixPath(ctx.folder).parent
    listed = await ctx.transport.run(Command(("ls", "-1t", "--", str(root))))
    if not listed.ok:  # a runtime without files keeps no copies
        return ()
    old = [name for name in listed.stdout.splitlines()[KEEP:] if name not in needed]
    if old:
        paths = [str(root / name) for name in old]
        done = await ctx.transport.run(Command(("rm", "-rf", "--", *paths), timeout=60.0))
        if not done.ok:
            raise ActionFailed(done.evidence(1) or "rm failed", where=ctx.host)
    return tuple(old)


def _needed(ctx: InstanceContext) -> Iterator[str]:
    rollout = ctx.rollout
    yield rollout.record.id
    yield rollout.plan.parent
    yield from _pointed_at(ctx)
    yield from (record.id for record in rollout.journal.rollouts(_LOOK_BACK, unfinished=True))
    for record in rollout.journal.rollouts(_LOOK_BACK):
        ours = ctx.service.name in record.services and not record.parent
        if ours and record.verb == Verb.DEPLOY and record.outcome in ("done", "mixed"):
            yield record.id
            return


def _pointed_at(ctx: InstanceContext) -> Iterator[str]:
    """Rollouts whose copies this instance would go back to: not always its own ones."""
    root = PurePosixPath(ctx.folder).parent
    kept: tuple[Mapping[str, Any], ...] = (
        ctx.facts.get(StepKind.SNAPSHOT, {}),
        ctx.service.snapshots.get(ctx.host, {}),
    )
    for snapshot in kept:
        stored = PurePosixPath(snapshot.get("runtime", {}).get("stored") or "/")
        if stored.is_relative_to(root) and stored != root:
            yield stored.relative_to(root).parts[0]
