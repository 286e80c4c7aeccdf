"""What a plan says of a migration: that it runs, what runs, and what undo does about it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gapless.config.releases import MigrateConfig
from gapless.config.services import ServiceConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.planning.guard import goes_down
from gapless.plans import StepKind


def migration_notes(
    name: str,
    service: ServiceConfig,
    steps: Collection[StepKind],
    *,
    release: ReleaseRef | None,
    live: int | None,
) -> Iterator[str]:
    """One sentence each; one that goes back to an older schema is told by the guard."""
    if service.migrate is None or _goes_back(release, live):
        return
    if StepKind.MIGRATE not in steps:
        yield f"{name}: its migration is skipped"
        return
    command = " ".join(service.migrate.run)
    undo = _undo(service, service.migrate)
    yield f"{name}: its migration runs once, before the first instance: {command}; {undo}"
    if goes_down(service) and not any("{version}" in word for word in service.migrate.down or ()):
        yield (
            f"{name}: migrate.down has no {{version}}: it runs once, and what it came to is asked"
        )


def _goes_back(release: ReleaseRef | None, live: int | None) -> bool:
    if release is None or release.schema is None or live is None:
        return False
    return live > release.newest(live)


def _undo(service: ServiceConfig, migrate: MigrateConfig) -> str:
    if goes_down(service):
        return "undo takes it back if the schema rose"
    why = "migrate.down is not given" if migrate.down is None else "migrate.current is not given"
    return f"undo does not take it back ({why})"
