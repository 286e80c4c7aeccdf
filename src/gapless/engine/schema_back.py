"""The way back of a service's data to the schema it had.

Rolling means that old instances live on the new schema for a while; so the way back of the data
comes last, when the last instance runs the old release again.
"""

from __future__ import annotations

from collections.abc import Mapping

from gapless.config.secrets import resolve_secrets
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.journal import StepRecord
from gapless.engine.perform import action_key, failure_data
from gapless.engine.steps.switch import refused_by_host
from gapless.errors import GaplessError
from gapless.model import Command, CriticalAction
from gapless.plans import ServicePlan, StepKind


async def take_schema_back(
    ctx: RolloutContext, service: ServicePlan, steps: Mapping[str, StepRecord]
) -> None:
    """Run ``migrate.down`` when the rollout with these steps migrated the service; say so when
    there is none."""
    name = service.name
    record = steps.get(service.step_key("", StepKind.MIGRATE))
    migrate = ctx.assembly.service(name).migrate
    if migrate is None or record is None or not record.good:
        return
    before = record.result.get("schema_before")
    if migrate.down is None or before is None:
        why = "the schema stays migrated: no down command, or the version before is not known"
        ctx.emit("migration.skipped", service=name, step="migrate", data={"why": why})
        return
    host = str(record.result.get("host", service.hosts[0]))
    instance = InstanceContext(ctx, service, host)
    argv = tuple(word.replace("{version}", str(before)) for word in migrate.down)
    env = {**migrate.env, **await resolve_secrets(migrate.secrets)}
    command = Command(
        argv,
        timeout=migrate.timeout,
        cwd=migrate.cwd or record.result.get("cwd"),
        env=env,
        user=migrate.user,
    )
    key = action_key(instance, instance.key("migrate-down"), 1)
    data = {"command": " ".join(argv), "to": before}
    ctx.emit("migration.started", service=name, host=host, step="migrate", data=data)
    try:
        settled = await instance.transport.act(
            CriticalAction(key, (command,), instance.fence, migrate.timeout + 5.0)
        )
        if not settled.ok:
            raise refused_by_host(instance, settled)
    except GaplessError as error:
        ctx.unsettled.append(name)
        data = failure_data(error)
        ctx.emit("migration.failed", service=name, host=host, step="migrate", data=data)
        return
    ctx.emit("migration.succeeded", service=name, host=host, step="migrate", data=data)
