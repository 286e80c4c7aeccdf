"""migrate: once per service before its first instance; never blindly twice."""

from __future__ import annotations

from gapless.config.releases import MigrateConfig
from gapless.config.secrets import resolve_secrets
from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.context import InstanceContext
from gapless.engine.journal import StepRecord
from gapless.engine.live_schema import live_version, question_of, schema_folder
from gapless.engine.steps.base import Facts, Step
from gapless.errors import FailureKind, FenceRefused, MigrationFailed, TransportError
from gapless.model import Command, CriticalAction, Settled, Settlement
from gapless.plans import StepKind

_LOOK = "look at the schema, then deploy again (with --skip-migrations when it is done)"


class MigrationUnknown(MigrationFailed):
    """It was begun, and nobody knows how far it came."""

    kind = FailureKind.LOST_CONTACT


class Migrate(Step):
    """Runs apart from the session: a schema change must not die with a laptop's lid."""

    kind = StepKind.MIGRATE
    critical = True
    shown = ("output", "host", "to", "was")

    async def observe(self, ctx: InstanceContext) -> Facts:
        """The schema version before, for the way back, the folder it runs in, the host (only that
        one knows what became of it), and where to when it goes back."""
        migrate = ctx.config.migrate
        assert migrate is not None, "the plan has this step only for services that migrate"
        cwd = await schema_folder(ctx.transport, ctx.runtime, migrate.cwd, _release(ctx))
        version = await live_version(ctx.transport, question_of(ctx.config), cwd)
        route = _back(ctx, migrate, version)
        return {"schema_before": version, "cwd": cwd, "host": ctx.host, **route}

    async def act(self, ctx: InstanceContext, before: Facts, key: str) -> Facts:
        """Run it on the first host."""
        migrate = ctx.config.migrate
        assert migrate is not None, "the plan has this step only for services that migrate"
        command = await _command(ctx, migrate, before)
        route = {name: before[name] for name in ("to", "was") if name in before}
        ctx.emit("migration.started", self.kind, command=" ".join(command.argv), **route)
        settled = await ctx.transport.act(
            CriticalAction(key, (command,), ctx.fence, migrate.timeout + 5.0)
        )
        return _judge(ctx, settled, before)

    async def recover(self, ctx: InstanceContext, record: StepRecord, key: str) -> Facts | None:
        """The host that began it knows what became of it, whichever host asks now; if that one
        does not know or cannot be asked, a person must look."""
        there = began_on(ctx, record)
        settled = await _settle(ctx, there, key)
        if settled.status is Settlement.DONE:
            return _judge(there, settled, record.before)
        if settled.status is Settlement.NEVER:
            return None
        raise MigrationUnknown(
            "the migration was begun and the host lost it (reboot or power cut): it is unknown how"
            " far it came",
            where=str(there.instance),
            next=_LOOK,
        )


def began_on(ctx: InstanceContext, record: StepRecord) -> InstanceContext:
    """The instance on whose host the migration was begun."""
    host = str(record.before.get("host", ctx.host))
    return ctx if host == ctx.host else InstanceContext(ctx.rollout, ctx.service, host)


async def _settle(ctx: InstanceContext, there: InstanceContext, key: str) -> Settled:
    if there is ctx:
        return await ctx.transport.settle(key)
    try:
        await there.transport.connect()
        return await there.transport.settle(key)
    except FenceRefused:
        raise
    except TransportError as error:
        raise MigrationUnknown(
            f"the migration was begun on {there.host}, which cannot be asked how far it came",
            where=str(there.instance),
            evidence=error.what,
            next=f"gapless doctor --hosts {there.host}; {_LOOK}",
        ) from None


async def _command(ctx: InstanceContext, migrate: MigrateConfig, before: Facts) -> Command:
    return Command(
        _direction(migrate, before),
        timeout=migrate.timeout,
        cwd=before.get("cwd"),
        env=migrate.env,
        secrets=await resolve_secrets(migrate.secrets),
        user=migrate.user,
    )


def _direction(migrate: MigrateConfig, before: Facts) -> tuple[str, ...]:
    if migrate.down is None or "to" not in before:
        return migrate.run
    return tuple(word.replace("{version}", str(before["to"])) for word in migrate.down)


def _back(ctx: InstanceContext, migrate: MigrateConfig, live: int | None) -> dict[str, int]:
    """Where to and where from when the release is older than the live schema lets it be (the plan
    has checked that there is a way down); nothing when it goes forward."""
    ref = ReleaseRef.from_json(ctx.service.to) if ctx.service.to else None
    if live is None or ref is None or ref.schema is None or migrate.down is None:
        return {}
    _, newest = ref.reads or (ref.schema, ref.schema)
    return {} if live <= newest else {"to": ref.schema, "was": live}


def _release(ctx: InstanceContext) -> str | None:
    """The new release, where there is one."""
    return ReleaseRef.from_json(ctx.service.to).path if ctx.service.to else None


def _judge(ctx: InstanceContext, settled: Settled, before: Facts) -> Facts:
    last = settled.completed[-1] if settled.completed else None
    if last is not None and last.ok:
        return {**before, "output": last.evidence(3), "host": ctx.host}
    if last is None:
        raise MigrationFailed("the migration did not run", where=str(ctx.instance))
    what = (
        f"the migration did not end within {last.elapsed:.0f} s and was stopped"
        if last.timed_out
        else f"the migration ended with status {last.status}"
    )
    raise MigrationFailed(
        what,
        where=str(ctx.instance),
        evidence=last.evidence(20),
        next="mend the migration and deploy again; no instance was restarted",
    )
