"""An older release is lifted over a schema that rose and stays.

1. Only where ``schema.bump`` is given, and the live schema, asked now, is one that the release
   which is gone back to cannot live with.
2. The version it is bumped to is one more than that of the release which is taken back: the same on
   every host, whenever it is asked, so that no host is left behind another.
3. It runs in the old release's folder as part of the critical switch, before that goes live; what
   is bumped already is bumped again without harm.
4. Instances that were never switched run the old release as it was and would be refused at their
   next start: theirs is bumped, too, when the others are back.
"""

from __future__ import annotations

from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.live_schema import live_version, question_of
from gapless.engine.perform import action_key, failure_data
from gapless.errors import FenceRefused, GaplessError, MigrationFailed
from gapless.model import Command, CriticalAction
from gapless.plans import ServicePlan, StepKind, Verb

BUMP_WITHIN = 60.0
"""Seconds one bump may take."""


async def bump_before(ctx: InstanceContext, target: ReleaseRef | None) -> tuple[Command, ...]:
    """What lifts ``target`` before it goes live again; nothing on the way forward."""
    release = ctx.rollout.assembly.release(ctx.service.name)
    if ctx.rollout.plan.verb is not Verb.ROLLBACK or release is None or target is None:
        return ()
    taken_back = await release.current(ctx.transport)
    return await _bump(ctx, target, taken_back.schema if taken_back else None)


async def bump_the_rest(ctx: RolloutContext, service: ServicePlan) -> None:
    """Lift the live release of every instance that the rollout never switched."""
    raised = ReleaseRef.from_json(service.to).schema if service.to else None
    for host in service.hosts:
        instance = InstanceContext(ctx, service, host)
        if instance.key(StepKind.SWITCH) in ctx.steps or (service.name, host) not in ctx.fences:
            continue
        try:
            await _bump_live(instance, raised)
        except FenceRefused:
            raise
        except GaplessError as error:
            ctx.unsettled.append(service.name)
            instance.emit("migration.failed", StepKind.MIGRATE, **failure_data(error))


async def _bump_live(ctx: InstanceContext, raised: int | None) -> None:
    release = ctx.rollout.assembly.release(ctx.service.name)
    live = await release.current(ctx.transport) if release else None
    commands = await _bump(ctx, live, raised) if live else ()
    if not commands:
        return
    key = action_key(ctx, ctx.key("bump"), 1)
    settled = await ctx.transport.act(CriticalAction(key, commands, ctx.fence, BUMP_WITHIN + 5.0))
    if not settled.ok:
        last = settled.completed[-1] if settled.completed else None
        raise MigrationFailed(
            "the old release could not be bumped over the schema: its next start may be refused",
            where=str(ctx.instance),
            evidence=last.evidence(5) if last else "",
            next=str(commands[0]),
        )


async def _bump(
    ctx: InstanceContext, target: ReleaseRef, raised: int | None
) -> tuple[Command, ...]:
    config = ctx.config.release
    declared = config.schema_ if config else None
    if declared is None or declared.bump is None or raised is None or target.schema is None:
        return ()
    newest = (target.reads or (0, target.schema))[1]
    live = await live_version(ctx.transport, question_of(ctx.config), target.path or None)
    if live is None or live <= newest:
        return ()
    version = str(raised + 1)
    argv = tuple(word.replace("{version}", version) for word in declared.bump)
    ctx.emit("migration.bumped", StepKind.MIGRATE, release=target.name, to=raised + 1, live=live)
    return (Command(argv, timeout=BUMP_WITHIN, cwd=target.path or None),)
