"""Which schema version a service's data has now, and where its migrations run."""

from __future__ import annotations

from gapless.config.releases import MigrateConfig
from gapless.config.secrets import resolve_secrets
from gapless.drivers.runtimes.base import Runtime
from gapless.drivers.transports.base import Transport
from gapless.errors import StepError
from gapless.model import Command


async def migration_folder(
    transport: Transport, runtime: Runtime, migrate: MigrateConfig, release: str | None
) -> str | None:
    """``migrate.cwd``, else the folder of the release, else the unit's own WorkingDirectory; None
    where there is none of them: the login's home."""
    if migrate.cwd or release:
        return migrate.cwd or release
    now = await runtime.observe(transport)
    folder = now.detail.get("WorkingDirectory", "").lstrip("!-")  # "it may be missing"
    return folder if folder.startswith("/") else None


async def live_version(transport: Transport, migrate: MigrateConfig, cwd: str | None) -> int | None:
    """What ``migrate.current`` prints in the folder ``cwd``; None without it. Raises StepError for
    anything else."""
    if migrate.current is None:
        return None
    done = await transport.run(
        Command(
            migrate.current,
            timeout=60.0,
            cwd=cwd,
            env=migrate.env,
            secrets=await resolve_secrets(migrate.secrets),
            user=migrate.user,
        )
    )
    words = done.stdout.split()
    if not done.ok or not words or not words[-1].isdigit():
        raise StepError(
            "the live schema version cannot be read",
            where=transport.host,
            evidence=f"{' '.join(migrate.current)} → {done.evidence(3) or f'status {done.status}'}",
            next="migrate.current must print an integer and exit 0",
        )
    return int(words[-1])
