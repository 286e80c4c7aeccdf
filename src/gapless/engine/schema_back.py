"""The way back of a service's data to the schema it had.

1. Rolling means that old instances live on the new schema for a while; so the way back of the data
   comes last, when the last instance runs the old release again; as long as one may run the new
   release the schema stays.
2. It is needed only where the schema rose: not by what the release declares, and the live version,
   asked before, is above the one from before. A ``down`` that takes one version off would otherwise
   take off one too many.
3. What it came to is asked, too: it must be the version from before.
"""

from __future__ import annotations

from collections.abc import Mapping

from gapless.config.releases import MigrateConfig
from gapless.config.secrets import resolve_secrets
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.journal import StepRecord
from gapless.engine.live_schema import live_version, question_of
from gapless.engine.perform import close_open, failure_data
from gapless.engine.schema_way import (
    WayDown,
    can_be_bumped,
    cannot_live,
    declared_by,
    way_down,
)
from gapless.engine.steps.lifecycle import STEPS
from gapless.engine.steps.switch import refused_by_host
from gapless.engine.taking_back import left_by
from gapless.errors import (
    DeadlineExceeded,
    FailureKind,
    FenceRefused,
    GaplessError,
    MigrationFailed,
)
from gapless.model import Command, CriticalAction, Settlement
from gapless.plans import ServicePlan, StepKind


async def take_schema_back(
    ctx: RolloutContext, service: ServicePlan, origin: str, steps: Mapping[str, StepRecord]
) -> None:
    """Run ``migrate.down`` when the rollout ``origin`` with these steps migrated the service; say
    so when there is none, or when it may not run."""
    name = service.name
    migrate = ctx.assembly.service(name).migrate
    record = await _closed(ctx, service, origin, steps)
    if migrate is None or record is None:
        return
    if not record.closed or is_unknown(record):
        ctx.unsettled.append(name)
        lost = MigrationFailed(
            "it is not known how far the migration came", where=name, next="look at the schema"
        )
        ctx.emit("migration.failed", service=name, step="migrate", data=failure_data(lost))
        return
    way = way_down(service, migrate, record)
    if way is None:
        return
    if way.to is None or not way.argv:
        if origin == ctx.record.id and _stuck(ctx, service, way, steps):
            ctx.unsettled.append(name)  # given up with --no-way-back, or a deploy that went down
        _skip(ctx, name, f"the schema stays migrated: {way.why}")
        return
    new = left_by(ctx.journal, origin, [name]).targets.get(name, {})
    if new:
        if origin == ctx.record.id:
            ctx.unsettled.append(name)
        _skip(ctx, name, f"the schema stays migrated: the new release may run on {', '.join(new)}")
        return
    host = _where(ctx, service, str(record.result.get("host", service.hosts[0])))
    instance = InstanceContext(ctx, service, host)
    told = {"to": way.to, "was": declared_by(service)}
    try:
        went = await _go_down(instance, migrate, way, record)
    except FenceRefused:
        raise
    except GaplessError as error:
        ctx.unsettled.append(name)
        instance.emit("migration.failed", StepKind.MIGRATE, **failure_data(error), **told)
        return
    if went:
        instance.emit("migration.succeeded", StepKind.MIGRATE, **told)
    else:
        _skip(ctx, name, f"the schema is at {way.to}, as before: it never rose")


def _stuck(
    ctx: RolloutContext, service: ServicePlan, way: WayDown, steps: Mapping[str, StepRecord]
) -> bool:
    """Whether what is old again cannot live with the schema that stays, and is not bumped over."""
    release = ctx.assembly.service(service.name).release
    found = (steps.get(service.step_key(host, StepKind.SNAPSHOT)) for host in service.hosts)
    return any(
        cannot_live(one.result, service, way, migrated=False)
        and not can_be_bumped(one.result, service, release.schema_ if release else None)
        for one in found
        if one is not None
    )


async def _go_down(
    ctx: InstanceContext, migrate: MigrateConfig, way: WayDown, record: StepRecord
) -> bool:
    """Bring the data back; False when it is there. Raises what failed."""
    cwd = migrate.cwd or record.result.get("cwd")
    key = ctx.action_key(ctx.key("migrate-down"), 1)
    settled = await ctx.transport.settle(key)  # begun by a controller that is gone
    if settled.status is Settlement.NEVER:
        live = await _live(ctx, cwd)
        if live is not None and way.to is not None and live < way.to:
            raise _elsewhere(ctx, way, "migrate.down is not run:", live)
        if live == way.to:
            return False
        told = {"command": " ".join(way.argv), "to": way.to, "was": live}
        ctx.emit("migration.started", StepKind.MIGRATE, **told)
        settled = await ctx.transport.act(await _action(ctx, migrate, way.argv, cwd, key))
    if not settled.ok:
        raise refused_by_host(ctx, settled)
    reached = await _live(ctx, cwd)
    if reached is not None and reached != way.to:
        raise _elsewhere(ctx, way, "migrate.down ended well, but", reached)
    return True


async def _action(
    ctx: InstanceContext, migrate: MigrateConfig, argv: tuple[str, ...], cwd: str | None, key: str
) -> CriticalAction:
    command = Command(
        argv,
        timeout=migrate.timeout,
        cwd=cwd,
        env=migrate.env,
        secrets=await resolve_secrets(migrate.secrets),
        user=migrate.user,
    )
    return CriticalAction(key, (command,), ctx.fence, migrate.timeout + 5.0)


async def _live(ctx: InstanceContext, cwd: str | None) -> int | None:
    question = question_of(ctx.config)
    return await live_version(ctx.transport, question, (question and question.cwd) or cwd)


def _elsewhere(ctx: InstanceContext, way: WayDown, what: str, live: int) -> MigrationFailed:
    return MigrationFailed(
        f"{what} the schema is at {live}, and was at {way.to} before",
        where=str(ctx.instance),
        next="look at the schema",
    )


def _skip(ctx: RolloutContext, name: str, why: str) -> None:
    ctx.emit("migration.skipped", service=name, step="migrate", data={"why": why})


async def _closed(
    ctx: RolloutContext, service: ServicePlan, origin: str, steps: Mapping[str, StepRecord]
) -> StepRecord | None:
    """The migration's record; one that this rollout left open is put to its host first. None when
    it never ran."""
    key = service.step_key("", StepKind.MIGRATE)
    record = steps.get(key)
    if record is None or record.closed or origin != ctx.record.id or "host" not in record.before:
        return record
    instance = InstanceContext(ctx, service, str(record.before["host"]))
    try:
        await instance.transport.connect()
        await close_open(STEPS[StepKind.MIGRATE], instance)
    except FenceRefused:
        raise
    except GaplessError:
        return record
    closed = ctx.steps[key]
    return closed if closed.closed else None


def is_unknown(record: StepRecord) -> bool:
    """Whether nobody knows what became of a migration that failed: it was begun, and its host was
    lost or lost it."""
    said = record.result.get("kind"), record.result.get("code")
    lost = said[0] == FailureKind.LOST_CONTACT or said[1] == DeadlineExceeded.code
    return not record.good and bool(record.before) and lost


def _where(ctx: RolloutContext, service: ServicePlan, host: str) -> str:
    """Where it ran, or another host of the service that is ours now."""
    hosts = (host, *service.hosts)
    return next((h for h in hosts if (service.name, h) in ctx.fences), host)
