"""An older release is lifted over a schema that rose and stays.

1. Only where ``schema.bump`` is given, and the live schema, asked now, is one that the release
   which is gone back to cannot live with. One that declares none can live with the version that
   was live when the plan was made which brought the other.
2. The version it is bumped to is one more than that of the release which is taken back, by the plan
   that brought it: the same on every host, whenever it is asked and whatever is live there, so that
   no host is left behind another.
3. It runs in the old release's folder as part of the critical switch, before that goes live; what
   is bumped already is bumped again without harm.
4. What is bumped is above the new release: where that runs its data refuses the new one. So one
   instance that goes back like this is one failure too many, whatever ``max_failed`` says; one that
   failed before its switch runs the old release as it was, and is not bumped while others are new.
5. Instances that were never switched, or whose switch came to nothing, run the old release as it
   was and would be refused at their next start: theirs is bumped, too, when the others are back.
"""

from __future__ import annotations

from dataclasses import dataclass

from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.live_schema import live_version, question_of
from gapless.engine.perform import failure_data
from gapless.errors import FenceRefused, GaplessError, MigrationFailed
from gapless.model import Command, CriticalAction
from gapless.plans import ServicePlan, StepKind, Verb

BUMP_WITHIN = 60.0
"""Seconds one bump may take."""


@dataclass(frozen=True, slots=True)
class _Bump:
    """What lifts ``release`` to the version ``to``, seen that ``live`` is what its data has."""

    command: Command
    release: str
    to: int
    live: int


async def bump_before(ctx: InstanceContext, target: ReleaseRef | None) -> tuple[Command, ...]:
    """What lifts ``target`` before it goes live again; nothing on the way forward."""
    release = ctx.rollout.assembly.release(ctx.service.name)
    if ctx.rollout.plan.verb is not Verb.ROLLBACK or release is None or target is None:
        return ()
    bump = await _bump(ctx, target)
    if bump is None:
        return ()
    _tell(ctx, bump)
    return (bump.command,)


async def bump_the_rest(ctx: RolloutContext, service: ServicePlan) -> None:
    """Lift the live release of every instance where no way back did."""
    for host in service.hosts:
        instance, place = InstanceContext(ctx, service, host), (service.name, host)
        if place in ctx.bumped or place not in ctx.fences:
            continue
        try:
            await _bump_live(instance)
        except FenceRefused:
            raise
        except GaplessError as error:
            ctx.unsettled.append(service.name)
            instance.emit("migration.failed", StepKind.MIGRATE, **failure_data(error))


async def _bump_live(ctx: InstanceContext) -> None:
    release = ctx.rollout.assembly.release(ctx.service.name)
    live = await release.current(ctx.transport) if release else None
    bump = await _bump(ctx, live) if live else None
    if bump is None:
        return
    key = ctx.action_key(ctx.key("bump"), 1)
    settled = await ctx.transport.act(
        CriticalAction(key, (bump.command,), ctx.fence, BUMP_WITHIN + 5.0)
    )
    if not settled.ok:
        last = settled.completed[-1] if settled.completed else None
        raise MigrationFailed(
            "the old release could not be bumped over the schema: its next start may be refused",
            where=str(ctx.instance),
            evidence=last.evidence(5) if last else "",
            next=str(bump.command),
        )
    _tell(ctx, bump)


def _tell(ctx: InstanceContext, bump: _Bump) -> None:
    ctx.rollout.bumped.add((ctx.service.name, ctx.host))
    told = {"release": bump.release, "to": bump.to, "live": bump.live}
    ctx.emit("migration.bumped", StepKind.MIGRATE, **told)


async def _bump(ctx: InstanceContext, target: ReleaseRef) -> _Bump | None:
    """None where there is nothing to lift it over."""
    config = ctx.config.release
    declared = config.schema_ if config else None
    taken_back = _taken_back(ctx)
    raised, before = _raised(taken_back), taken_back.schema_live
    if declared is None or declared.bump is None or raised is None:
        return None
    if target.schema is None and before is None:  # nobody ever knew what it lives with
        return None
    newest = target.newest(before or 0)
    question = question_of(ctx.config)
    folder = (question.cwd if question else None) or target.path or None
    live = await live_version(ctx.transport, question, folder)
    if live is None or live <= newest:
        return None
    version = str(raised + 1)
    argv = tuple(word.replace("{version}", version) for word in declared.bump)
    command = Command(argv, timeout=BUMP_WITHIN, cwd=target.path or None)
    return _Bump(command, target.name, raised + 1, live)


def _taken_back(ctx: InstanceContext) -> ServicePlan:
    """The plan that brought the release which the instance goes back from."""
    plan = ctx.rollout.plan
    if plan.parent:
        _, plan = ctx.rollout.journal.load(plan.parent)
    return plan.service(ctx.service.name)


def _raised(taken_back: ServicePlan) -> int | None:
    to = taken_back.to
    return ReleaseRef.from_json(to).schema if to else None
