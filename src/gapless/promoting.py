"""What one environment runs is brought to another, exactly as it was verified there.

1. The hosts of the other environment are asked: of each service they must all run one release.
2. Its journal tells the newest rollout that brought this release and ended well: that is what was
   verified, unless its health gates were skipped. Without one there is nothing to promote.
3. The same release is resolved by its name, and must have the digest and the artifact that were
   recorded.
4. The kind of deployment is repeated: what was migrated there is migrated here, what was not is
   not, and what else it brought is compared (promoting_kind.py). A catch-up migrates nothing: that
   was done, or not, in the rollout that it catches up with.
5. The checks of that rollout hold here as they were recorded (health, warm, verify, soak). Those
   in which the file itself makes the two environments differ stay as this one has them; the plan
   says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gapless.config.definitions import from_definitions
from gapless.config.services import ServiceConfig
from gapless.config.source import Loaded
from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import Refused, UsageError
from gapless.inventory.inventory import Inventory
from gapless.plans import Plan, ServicePlan, Verb
from gapless.project import Project, assembled, load
from gapless.promoting_kind import compare_kinds, kind_of

CHECKS = ("health", "warm", "verify", "soak", "migrate")
"""Keys of a service that say how a deployment is judged, and what it does to the data."""
_LOOKED_THROUGH = 200
"""Rollouts of the other environment, newest first."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a service was last deployed in the other environment."""

    environment: str
    rollout: str
    ref: ReleaseRef
    kind: tuple[str, ...]
    service: ServiceConfig
    migrated: bool

    @property
    def origin(self) -> str:
        """For plans and reports."""
        return f"{self.environment}, rollout {self.rollout}"


@dataclass(frozen=True, slots=True)
class Promotion:
    """The project with the recorded checks in place, and what was recorded, by service."""

    loaded: Loaded
    recorded: Mapping[str, Recorded]
    notes: Mapping[str, tuple[str, ...]]

    @property
    def migrates(self) -> bool:
        """Whether migrations run; raises UsageError where services differ in it."""
        said = {one.migrated for one in self.recorded.values() if one.service.migrate}
        if len(said) > 1:
            raise UsageError(
                "some of these services were deployed with their migration, some without",
                evidence="\n".join(f"{name}: {one.origin}" for name, one in self.recorded.items()),
                next="promote them one after the other",
            )
        return said != {False}


async def promotion(project: Project, environment: str, names: Sequence[str]) -> Promotion:
    """What is to be brought from ``environment``. Raises UsageError or Refused."""
    if environment == project.loaded.environment:
        raise UsageError(
            f"{environment} is where it would go to, too",
            next=f"gapless promote -e OTHER --from {environment}",
        )
    there = load(project.path, environment)
    chosen = [name for name in names if name in there.config.services and _brings(there, name)]
    if not chosen:
        raise UsageError(
            f"none of {', '.join(names)} has a release in {environment}",
            next=f"gapless status -e {environment}",
        )
    async with assembled(there) as assembly:
        found = await asyncio.gather(*(_recorded(there, assembly, name) for name in chosen))
    recorded = dict(zip(chosen, found, strict=True))
    return _judged_alike(project, there, recorded)


def refuse_another(name: str, wanted: ReleaseRef, found: ReleaseRef) -> None:
    """The same name must be the same content, and the same built dependencies."""
    same = (wanted.digest, wanted.artifact) == (found.digest, found.artifact)
    if not same:
        raise Refused(
            f"release {wanted.name} of {name} is not what it was when it was verified",
            where=name,
            evidence=f"verified {wanted.digest} {wanted.artifact}".rstrip()
            + f"\nfound    {found.digest} {found.artifact}".rstrip(),
            next=f"gapless deploy {name} in the first environment, then promote again",
        )


def _brings(project: Project, name: str) -> bool:
    return project.config.services[name].release is not None


async def _recorded(there: Project, assembly: ProjectAssembly, name: str) -> Recorded:
    live = await _live(there, assembly, name)
    for record in there.journal.rollouts(_LOOKED_THROUGH):
        if record.verb != Verb.DEPLOY or record.outcome != "done" or name not in record.services:
            continue
        _, plan = there.journal.load(record.id)
        service = plan.service(name)
        if plan.force:
            continue
        if service.to.get("name") == live.name and service.to.get("digest") == live.digest:
            return _of(there, record.id, plan, service)
    raise Refused(
        f"{there.loaded.environment} runs {live.name} of {name}, and no rollout verified it there",
        where=name,
        next=f"gapless deploy -e {there.loaded.environment} {name}",
    )


def _of(there: Project, rollout: str, plan: Plan, service: ServicePlan) -> Recorded:
    first, kind = _caught_up_with(there, plan, service)
    return Recorded(
        there.loaded.environment,
        rollout,
        ReleaseRef.from_json(service.to),
        kind,
        from_definitions(plan).services[service.name],
        migrated=not first.skip_migrations,
    )


def _caught_up_with(
    there: Project, plan: Plan, service: ServicePlan
) -> tuple[Plan, tuple[str, ...]]:
    """The plan that brought the release first, and of which kind it was."""
    while service.missed:
        _, plan = there.journal.load(service.missed)
        service = plan.service(service.name)
    return plan, service.kind


async def _live(there: Project, assembly: ProjectAssembly, name: str) -> ReleaseRef:
    """The one release that all its hosts have live."""
    hosts = Inventory(there.config).hosts_of(name)
    refs = await asyncio.gather(*(_current(assembly, name, host) for host in hosts))
    live = dict(zip(hosts, refs, strict=True))
    kinds = {(ref.name, ref.digest) for ref in live.values() if ref is not None}
    if len(kinds) == 1 and None not in live.values():
        return next(ref for ref in live.values() if ref is not None)
    told = [f"{host}: {ref.name if ref else 'no release'}" for host, ref in live.items()]
    raise Refused(
        f"{there.loaded.environment} does not run one release of {name}",
        where=name,
        evidence="\n".join(told),
        next=f"gapless status -e {there.loaded.environment} {name}",
    )


async def _current(assembly: ProjectAssembly, name: str, host: str) -> ReleaseRef | None:
    release = assembly.release(name)
    if release is None:
        return None
    transport = assembly.transport(host)
    await transport.connect()
    return await release.current(transport)


def _judged_alike(project: Project, there: Project, recorded: Mapping[str, Recorded]) -> Promotion:
    services = dict(project.config.services)
    notes: dict[str, tuple[str, ...]] = {}
    for name, one in recorded.items():
        here, now = services[name], there.config.services[name]
        own = [key for key in CHECKS if getattr(here, key) != getattr(now, key)]
        taken = {key: getattr(one.service, key) for key in CHECKS if key not in own}
        services[name] = here.model_copy(update=taken)
        kept = [f"{name}: {', '.join(own)} as this environment has it"] if own else []
        kinds = compare_kinds(
            name,
            one.environment,
            one.kind,
            there=kind_of(now, one.ref, migrated=one.migrated),
            here=kind_of(services[name], one.ref, migrated=one.migrated),
        )
        told = f"{name}: promoted from {one.origin}, with its checks"
        notes[name] = (told, *kept, *kinds, *_not_migrated(name, one, here, services[name]))
    config = project.config.model_copy(update={"services": services})
    return Promotion(replace(project.loaded, project=config), recorded, notes)


def _not_migrated(
    name: str, one: Recorded, here: ServiceConfig, taken: ServiceConfig
) -> Iterator[str]:
    """A migration that the file has, and that does not run: it was not verified there."""
    if here.migrate is None:
        return
    if taken.migrate is None:
        command = " ".join(here.migrate.run)
        yield f"{name}: migrate of the file is not run: {one.origin}, had none ({command})"
    elif not one.migrated:
        yield f"{name}: its migration was skipped in {one.origin}"
