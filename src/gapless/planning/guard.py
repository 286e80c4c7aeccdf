"""The schema guard: no release is brought to data it cannot live with.

1. The live schema version is what the service reports, else the newest that a live release
   declares.
2. A release that declares a version can live with the versions it ``reads``; by default exactly
   its own. One that declares none was deployed before there was anything to declare: it lives
   with the live version, and nothing says that it reads more.
3. Live version newer than it can read: this goes back past a migration. It is possible only where
   ``migrate.down`` takes the schema back; else it is refused. ``migrate.down`` needs to know the
   version before: without a command that tells the live one it takes nothing back.
4. Live version older than it needs: the migration, or the service at its start, brings it forward;
   without either, or when migrations are skipped, it is refused.
5. Where the live version will rise there must be a way back for an abort: the release that is
   replaced reads the new version, ``migrate.down`` takes the schema back, or ``schema.bump`` lifts
   the old release over it. Without any it is refused here, before the first change, unless a
   person gives the way back up with a reason.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

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
    touched: Collection[str],
    max_failed: int,
    skip_migrations: bool,
    no_way_back: bool,
) -> tuple[str, ...]:
    """Notes for the plan, which has the hosts ``touched``; raises NoWayBack or Refused."""
    live = live_schema(name, survey)
    if release is None or release.schema is None:
        return _undeclared(name, release, live, survey)
    if live is None:
        return _unknown(name, service, survey)
    oldest, newest = release.reads or (release.schema, release.schema)
    if live > newest:
        return _back(name, service, release, live, skip_migrations=skip_migrations)
    rises = _rises(service, skip_migrations=skip_migrations)
    if live < oldest and not rises:
        why = "migrations are skipped" if service.migrate else "it has no migrate"
        raise Refused(
            f"release {release.name} needs schema {oldest}, {live} is live, and {why}",
            where=name,
            next=f"gapless explain {Refused.code}",
        )
    if release.schema > live and rises:
        stuck = _stuck(name, live, release.schema, survey)
        down = goes_down(service) and not skip_migrations
        return (
            *_forward(name, service, release, live, stuck, down=down, given_up=no_way_back),
            *_intolerable(name, service, () if down else stuck, max_failed),
            *_beyond(name, service, stuck, touched, survey),
        )
    if release.schema < live:
        return (f"{name}: the schema stays at {live}, which {release.name} reads",)
    return ()


def goes_down(service: ServiceConfig) -> bool:
    """Whether a migration of it can be taken back: by what, and to which version."""
    return service.migrate is not None and service.migrate.down is not None and is_asked(service)


def is_asked(service: ServiceConfig) -> bool:
    """Whether a command tells the live version."""
    declared = service.release.schema_ if service.release else None
    argv = (declared and declared.current) or (service.migrate and service.migrate.current)
    return bool(argv)


def _undeclared(
    name: str, release: ReleaseRef | None, live: int | None, survey: Survey | None
) -> tuple[str, ...]:
    """A release from before there was anything to declare comes to data that others declare."""
    known = survey is not None and any(
        seen.release is not None and seen.release.schema is not None
        for instance, seen in survey.seen.items()
        if instance.service == name
    )
    if release is None or live is None or not known:
        return ()
    return (f"{name}: schema {live} is live, and {release.name} does not declare what it reads",)


def _unknown(name: str, service: ServiceConfig, survey: Survey | None) -> tuple[str, ...]:
    """Before the first release there may be nobody who can tell, and nothing to go back to."""
    if survey is None:
        return ()
    first = survey.none_live(name)
    if is_asked(service):
        return (f"{name}: the live schema is not known: no release is live yet",) if first else ()
    why = "neither schema.current nor migrate.current is given"
    return () if first else (f"{name}: the live schema is not known: {why}",)


def _rises(service: ServiceConfig, *, skip_migrations: bool) -> bool:
    """Whether anything brings the schema forward."""
    declared = service.release.schema_ if service.release else None
    at_start = declared is not None and declared.at_start
    return at_start or (service.migrate is not None and not skip_migrations)


def _stuck(name: str, live: int, version: int, survey: Survey | None) -> Mapping[str, int]:
    """Live releases that cannot live with the version to come, and the newest they can live
    with."""
    newest = {
        seen.release.name: seen.release.newest(live)
        for instance, seen in (survey.seen if survey else {}).items()
        if instance.service == name and seen.release
    }
    return {one: reads for one, reads in newest.items() if reads < version}


def _forward(
    name: str,
    service: ServiceConfig,
    release: ReleaseRef,
    live: int,
    stuck: Mapping[str, int],
    *,
    down: bool,
    given_up: bool,
) -> tuple[str, ...]:
    """The schema goes from ``live`` up to what ``release`` works with."""
    rise = f"{name}: the schema goes from {live} to {release.schema}"
    declared = service.release.schema_ if service.release else None
    if down:
        return (f"{rise}; an abort takes it back by migrate.down",)
    if not stuck:
        return (f"{rise}; an abort leaves it there",)
    old = ", ".join(stuck)
    if declared is not None and declared.bump is not None:
        return (f"{rise}; an abort leaves it there and bumps {old} to {(release.schema or 0) + 1}",)
    if given_up:
        return (f"{rise}, and {old} cannot live with that: there is no way back",)
    raise NoWayBack(
        f"an abort could not go back from schema {release.schema} to {old}",
        where=name,
        evidence=f"{live} is live, {release.name} brings {release.schema}, {old} reads up to"
        f" {max(stuck.values())}; {_lacking(service)}",
        next="give one of them, or deploy with --no-way-back --reason 'why'",
    )


def _lacking(service: ServiceConfig) -> str:
    if service.migrate is None or service.migrate.down is None:
        return "neither migrate.down nor schema.bump is given"
    if not is_asked(service):
        return "migrate.down needs migrate.current, and neither that nor schema.bump is given"
    return "migrations are skipped, and so is migrate.down; schema.bump is not given"


def _intolerable(
    name: str, service: ServiceConfig, stuck: Collection[str], max_failed: int
) -> tuple[str, ...]:
    """A failure that cannot be tolerated, although some may be."""
    if not stuck or not max_failed or not _bumps(service):
        return ()
    what = "an instance that fails once it was switched stops it, whatever max_failed says"
    return (f"{name}: {what}: the old release there is bumped above the new one",)


def _bumps(service: ServiceConfig) -> bool:
    declared = service.release.schema_ if service.release else None
    return declared is not None and declared.bump is not None


def _beyond(
    name: str,
    service: ServiceConfig,
    stuck: Collection[str],
    touched: Collection[str],
    survey: Survey | None,
) -> tuple[str, ...]:
    """Hosts that no abort of this plan will bump, for it does not touch them."""
    hosts = [
        instance.host
        for instance, seen in (survey.seen if survey else {}).items()
        if instance.service == name and seen.release and seen.release.name in stuck
        and instance.host not in touched
    ]  # fmt: skip
    if not hosts or not _bumps(service):
        return ()
    some = ", ".join(hosts[:3]) + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "")
    what = f"{some} not in this plan: the old release there is not bumped, and its next start"
    return (f"{name}: {what} may be refused",)


def _back(
    name: str, service: ServiceConfig, release: ReleaseRef, live: int, *, skip_migrations: bool
) -> tuple[str, ...]:
    declared = service.release.schema_ if service.release else None
    if service.migrate is None or service.migrate.down is None:
        if declared is not None and declared.at_start:
            raise NoWayBack(
                f"release {release.name} works with schema {release.schema}, {live} is live, and"
                " what a service applied at its start is never taken back",
                where=name,
                evidence="an abort that bumped the old release may have raised it, too",
                next=f"let the release declare at least {live}",
            )
        raise NoWayBack(
            f"release {release.name} works with schema {release.schema}, {live} is live: this goes"
            " back past a migration, and migrate.down is not given",
            where=name,
            evidence="a newer release that reads both, or migrate.down, makes it possible",
            next=f"gapless explain {NoWayBack.code}",
        )
    past = f"release {release.name} works with schema {release.schema}, {live} is live"
    if skip_migrations:
        raise Refused(
            f"{past}, and migrations are skipped: migrate.down, too",
            where=name,
            next="the same command without --skip-migrations",
        )
    if not is_asked(service):
        raise NoWayBack(
            f"{past}: migrate.down takes it back only where migrate.current tells that",
            where=name,
            next="give migrate.current",
        )
    argv = [word.replace("{version}", str(release.schema)) for word in service.migrate.down]
    return (
        f"{name}: first of all the schema goes back from {live} to {release.schema}:"
        f" {' '.join(argv)}; undo does not raise it again",
    )


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
