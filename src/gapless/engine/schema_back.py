"""The way back of a service's data to the schema it had.

Rolling means that old instances live on the new schema for a while; so the way back of the data
comes last, when the last instance runs the old release again; as long as one may run the new
release the schema stays.
"""

from __future__ import annotations

from collections.abc import Mapping

from gapless.config.secrets import resolve_secrets
from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.journal import StepRecord
from gapless.engine.perform import action_key, close_open, failure_data
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
from gapless.model import Command, CriticalAction
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
    if not record.good:
        return
    before = record.result.get("schema_before")
    if migrate.down is None or before is None:
        why = "the schema stays migrated: no down command, or the version before is not known"
        _skip(ctx, name, why)
        return
    new = left_by(ctx.journal, origin, [name]).targets.get(name, {})
    if new:
        if origin == ctx.record.id:
            ctx.unsettled.append(name)
        _skip(ctx, name, f"the schema stays migrated: the new release may run on {', '.join(new)}")
        return
    host = _where(ctx, service, str(record.result.get("host", service.hosts[0])))
    instance = InstanceContext(ctx, service, host)
    argv = tuple(word.replace("{version}", str(before)) for word in migrate.down)
    key = action_key(instance, instance.key("migrate-down"), 1)
    back = {"to": before, "was": _declared(service)}
    data = {"command": " ".join(argv), **back}
    ctx.emit("migration.started", service=name, host=host, step="migrate", data=data)
    try:
        command = Command(
            argv,
            timeout=migrate.timeout,
            cwd=migrate.cwd or record.result.get("cwd"),
            env=migrate.env,
            secrets=await resolve_secrets(migrate.secrets),
            user=migrate.user,
        )
        settled = await instance.transport.act(
            CriticalAction(key, (command,), instance.fence, migrate.timeout + 5.0)
        )
        if not settled.ok:
            raise refused_by_host(instance, settled)
    except FenceRefused:
        raise
    except GaplessError as error:
        ctx.unsettled.append(name)
        data = {**failure_data(error), **back}
        ctx.emit("migration.failed", service=name, host=host, step="migrate", data=data)
        return
    ctx.emit("migration.succeeded", service=name, host=host, step="migrate", data=data)


def _declared(service: ServicePlan) -> int | None:
    """The version that the release works with which was migrated to."""
    return ReleaseRef.from_json(service.to).schema if service.to else None


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
