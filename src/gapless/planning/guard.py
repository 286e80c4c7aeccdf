"""The schema guard: no release is brought to data it cannot live with.

1. The live schema version is what the service reports, else the newest that a live release
   declares.
2. A release that declares a version can live with the versions it ``reads``; by default exactly
   its own.
3. Live version newer than it can read: this goes back past a migration. It is possible only where
   ``migrate.down`` takes the schema back; else it is refused.
4. Live version older than it needs: the migration brings it forward; without a migration, or
   when migrations are skipped, it is refused.
"""

from __future__ import annotations

from gapless.config.services import ServiceConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.errors import NoWayBack, Refused
from gapless.planning.survey import Survey


def guard_schema(
    name: str,
    service: ServiceConfig,
    release: ReleaseRef | None,
    survey: Survey | None,
    *,
    skip_migrations: bool,
) -> tuple[str, ...]:
    """Notes for the plan; raises NoWayBack or Refused."""
    live = live_schema(name, survey)
    if release is None or release.schema is None or live is None:
        return ()
    oldest, newest = release.reads or (release.schema, release.schema)
    if live > newest:
        return _back(name, service, release, live)
    if live < oldest and (service.migrate is None or skip_migrations):
        why = "migrations are skipped" if service.migrate else "it has no migrate"
        raise Refused(
            f"release {release.name} needs schema {oldest}, {live} is live, and {why}",
            where=name,
            next=f"gapless explain {Refused.code}",
        )
    return ()


def _back(name: str, service: ServiceConfig, release: ReleaseRef, live: int) -> tuple[str, ...]:
    if service.migrate is None or service.migrate.down is None:
        raise NoWayBack(
            f"release {release.name} works with schema {release.schema}, {live} is live: this goes"
            " back past a migration, and migrate.down is not given",
            where=name,
            evidence="a newer release that reads both, or migrate.down, makes it possible",
            next=f"gapless explain {NoWayBack.code}",
        )
    return (f"{name}: the schema goes back from {live} to {release.schema} by migrate.down",)


def live_schema(name: str, survey: Survey | None) -> int | None:
    """The schema version the service's data has now; None when nobody knows."""
    if survey is None:
        return None
    if name in survey.schemas:
        return survey.schemas[name]
    declared = [
        seen.release.schema
        for instance, seen in survey.seen.items()
        if instance.service == name and seen.release and seen.release.schema is not None
    ]
    return max(declared, default=None)
