"""The schema guard: no release is brought to data it cannot live with.

1. The live schema version is what the service reports, else the newest that a live release
   declares.
2. A release that declares a version can live with the versions it ``reads``; by default exactly
   its own.
3. Live version newer than it can read: this goes back past a migration. It is possible only where
   ``migrate.down`` takes the schema back; else it is refused.
4. Live version older than it needs: the migration, or the service at its start, brings it forward;
   without either, or when migrations are skipped, it is refused.
5. Where the live version will rise there must be a way back for an abort: the release that is
   replaced reads the new version, ``migrate.down`` takes the schema back, or ``schema.bump`` lifts
   the old release over it. Without any it is refused here, before the first change, unless a
   person gives the way back up with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    no_way_back: bool,
) -> tuple[str, ...]:
    """Notes for the plan; raises NoWayBack or Refused."""
    live = live_schema(name, survey)
    if release is None or release.schema is None or live is None:
        return ()
    oldest, newest = release.reads or (release.schema, release.schema)
    if live > newest:
        return _back(name, service, release, live)
    rises = _rises(service, skip_migrations=skip_migrations)
    if live < oldest and not rises:
        why = "migrations are skipped" if service.migrate else "it has no migrate"
        raise Refused(
            f"release {release.name} needs schema {oldest}, {live} is live, and {why}",
            where=name,
            next=f"gapless explain {Refused.code}",
        )
    if release.schema > live and rises:
        stuck = _stuck(name, release.schema, survey)
        return _forward(name, service, release, live, stuck, given_up=no_way_back)
    return ()


def _rises(service: ServiceConfig, *, skip_migrations: bool) -> bool:
    """Whether anything brings the schema forward."""
    declared = service.release.schema_ if service.release else None
    at_start = declared is not None and declared.at_start
    return at_start or (service.migrate is not None and not skip_migrations)


def _stuck(name: str, version: int, survey: Survey | None) -> Sequence[ReleaseRef]:
    """Live releases that cannot live with the version to come."""
    found = {
        seen.release.name: seen.release
        for instance, seen in (survey.seen if survey else {}).items()
        if instance.service == name and seen.release and seen.release.schema is not None
    }
    newest = {one: (ref.reads or (0, ref.schema or 0))[1] for one, ref in found.items()}
    return [ref for one, ref in found.items() if newest[one] < version]


def _forward(
    name: str,
    service: ServiceConfig,
    release: ReleaseRef,
    live: int,
    stuck: Sequence[ReleaseRef],
    *,
    given_up: bool,
) -> tuple[str, ...]:
    """The schema goes from ``live`` up to what ``release`` works with."""
    rise = f"{name}: the schema goes from {live} to {release.schema}"
    declared = service.release.schema_ if service.release else None
    if not stuck:
        return (f"{rise}; an abort leaves it there",)
    if service.migrate is not None and service.migrate.down is not None:
        return (f"{rise}; an abort takes it back by migrate.down",)
    old = ", ".join(ref.name for ref in stuck)
    if declared is not None and declared.bump is not None:
        return (f"{rise}; an abort leaves it there and bumps {old} to {(release.schema or 0) + 1}",)
    if given_up:
        return (f"{rise}, and {old} cannot live with that: there is no way back",)
    reads = max((ref.reads or (0, ref.schema or 0))[1] for ref in stuck)
    raise NoWayBack(
        f"an abort could not go back from schema {release.schema} to {old}",
        where=name,
        evidence=f"{live} is live, {release.name} brings {release.schema}, {old} reads up to"
        f" {reads}; neither migrate.down nor schema.bump is given",
        next="give one of them, or deploy with --no-way-back --reason 'why'",
    )


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
