"""The Python API, and all that the command line does.

    from gapless import load, restart
    project = load("gapless.yaml")
    report = restart(project, ["shop.api"], reason="new certificates")
    if report.exit_code:
        print(report.next)

Times are seconds. Everything raises a :class:`gapless.errors.GaplessError` whose ``next`` is the
command that helps. The functions of this module are the asynchronous ones; ``gapless.plan``,
``gapless.restart`` and ``gapless.deploy`` run them to their end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from gapless.clock import Clock, LoopClock
from gapless.config.definitions import from_definitions
from gapless.config.project import ProjectConfig
from gapless.config.source import Loaded, load_config
from gapless.doctor import examine_hosts
from gapless.drivers.runtimes.unit_file import unit_file_digest
from gapless.drivers.sinks.hub import SinkHub
from gapless.engine.assembly import Assembly
from gapless.engine.connections import Connections
from gapless.engine.dispatcher import InlineDispatcher
from gapless.engine.interrupts import Interrupts
from gapless.engine.journal import Journal, LockRecord, RolloutRecord, RolloutState
from gapless.engine.live_schema import live_version, migration_folder
from gapless.engine.project_assembly import ProjectAssembly
from gapless.engine.sqlite_journal import SqliteJournal
from gapless.engine.state_home import project_folder
from gapless.engine.taking_back import Left, left_by, taken_back_by
from gapless.engine.worker import Worker, whoami
from gapless.errors import NoWayBack, Refused, UsageError
from gapless.events.event import Event
from gapless.finding import Finding
from gapless.inventory.inventory import Inventory
from gapless.model import Instance
from gapless.planning import store
from gapless.planning.make import make_plan as compile_plan
from gapless.planning.options import PlanOptions, Target
from gapless.planning.stale import refuse_when_stale
from gapless.planning.survey import Drivers, Survey, survey
from gapless.plans import Plan, StepKind, Verb
from gapless.proving import proved, wanted
from gapless.report.report import Report
from gapless.report.summarize import summarize
from gapless.status import StatusRow, ask_status
from gapless.undo import rollback_plan

Observer = Callable[[Event], None]


def nobody(event: Event) -> None:
    """An observer that does not look."""


@dataclass
class Project:
    """A loaded gapless.yaml with its journal."""

    loaded: Loaded
    journal: Journal
    folder: Path
    clock: Clock = field(default_factory=LoopClock)
    connections: Connections | None = None
    """Kept between calls; None: each call makes its own. See :func:`connected`."""

    @property
    def config(self) -> ProjectConfig:
        """The whole configuration after overlays and defaults."""
        return self.loaded.project

    @property
    def path(self) -> Path:
        """The file it came from."""
        return self.loaded.path


def load(path: str | Path = "gapless.yaml", environment: str | None = None) -> Project:
    """Read and check a configuration. Raises ConfigError with every problem, or UsageError."""
    loaded = load_config(path, environment)
    folder = project_folder(loaded.project.project, environment)
    return Project(loaded, SqliteJournal(folder), folder)


def load_plan(path: str | Path) -> Plan:
    """A plan written by ``gapless plan -o``; Refused when somebody changed it."""
    return store.load(path)


# -- planning -------------------------------------------------------------------------------


async def make_plan(
    project: Project,
    verb: Literal["restart", "deploy"],
    services: Sequence[str] = (),
    *,
    hosts: str | None = None,
    batch: str | int | None = None,
    canary: str | int | None = None,
    max_failed: int | None = None,
    on_failure: str | None = None,
    skip_migrations: bool = False,
    force: str | None = None,
    offline: bool = False,
) -> Plan:
    """What would be done, as data; asks every host what runs there now unless ``offline``.

    ``hosts`` selects by name, group, glob or range (``web[1:3],!web2``); ``batch`` and ``canary``
    are numbers or shares (``25%``); ``force`` is the reason for skipping health gates."""
    options = PlanOptions(
        batch=batch,
        canary=canary,
        max_failed=max_failed,
        on_failure=on_failure,
        skip_migrations=skip_migrations,
        force=force or "",
    )
    inventory = Inventory(project.config)
    names = inventory.services(services)
    async with _assembled(project) as assembly:
        targets = await _targets(assembly, names) if verb == "deploy" else {}
        found = None if offline else await _survey(project, assembly, inventory, names)
    return compile_plan(
        project.loaded,
        verb=Verb(verb),
        services=tuple(services),
        hosts=hosts,
        options=options,
        targets=targets,
        survey=found,
        history=_history(project, names),
        now=project.clock.now(),
    )


def _history(project: Project, names: Sequence[str]) -> dict[str, float]:
    """Seconds one instance took on average; services without history are left out."""
    taken = {name: project.journal.durations(name) for name in names}
    return {name: sum(seconds) / len(seconds) for name, seconds in taken.items() if seconds}


async def _targets(assembly: ProjectAssembly, names: Sequence[str]) -> dict[str, Target]:
    targets: dict[str, Target] = {}
    for name in names:
        release = assembly.release(name)
        resolved = await asyncio.to_thread(release.resolve) if release else None
        targets[name] = Target(resolved, unit_file_digest(assembly.service(name).systemd))
    return targets


async def _survey(
    project: Project, assembly: ProjectAssembly, inventory: Inventory, names: Sequence[str]
) -> Survey:
    def drivers(instance: Instance) -> Drivers:
        return Drivers(
            assembly.transport(instance.host),
            assembly.runtime(instance.service),
            assembly.release(instance.service),
        )

    async def schema(name: str) -> int | None:
        migrate, hosts = project.config.services[name].migrate, inventory.hosts_of(name)
        if migrate is None or not hosts:
            return None
        release = assembly.release(name)
        transport = assembly.transport(hosts[0])
        current = await release.current(transport) if release else None
        path = current.path if current else None
        cwd = await migration_folder(transport, assembly.runtime(name), migrate, path)
        return await live_version(transport, migrate, cwd)

    instances = [instance for name in names for instance in inventory.instances(name)]
    at_once = project.config.defaults.connections
    return await survey(instances, drivers, at_once=at_once, schema=schema)


@contextlib.asynccontextmanager
async def connected(project: Project) -> AsyncIterator[Project]:
    """The project with connections that last as long as the body: a plan and the rollout that
    carries it out then connect to each host once."""
    at_once = project.config.defaults.connections
    connections = Connections(at_once, lasting=True)
    try:
        yield replace(project, connections=connections)
    finally:
        await connections.close()


@contextlib.asynccontextmanager
async def _assembled(
    project: Project, config: ProjectConfig | None = None
) -> AsyncIterator[ProjectAssembly]:
    assembly = ProjectAssembly(config or project.config, project.clock, project.connections)
    try:
        yield assembly
    finally:
        await assembly.close()


# -- rollouts -------------------------------------------------------------------------------


async def execute(
    project: Project,
    plan: Plan,
    *,
    actor: str | None = None,
    reason: str = "",
    prove: bool = False,
    observer: Observer = nobody,
    interrupts: Interrupts | None = None,
    check_stale: bool = False,
) -> Report:
    """Carry a plan out. Returns what came of it; raises Refused, StalePlan or LockHeld before
    anything is changed. ``check_stale`` asks the hosts first whether the plan still fits."""
    if not plan.services:
        return summarize(plan, [])
    if check_stale:
        await _refuse_stale(project, plan)
    worker = _worker(project, observer, interrupts)
    rollout = worker.open(plan, actor=actor or whoami(), reason=reason)
    return await _work(project, worker, rollout, prove=prove)


async def _refuse_stale(project: Project, plan: Plan) -> None:
    if plan.project != project.config.project:
        raise Refused(
            f"the plan is for project {plan.project}, this is {project.config.project}",
            where=str(project.path),
        )
    if not plan.observed:
        raise Refused(
            "the plan was made offline: it cannot be told whether it is stale",
            next="gapless plan -o FILE (without --offline)",
        )
    inventory = Inventory(project.config)
    async with _assembled(project) as assembly:
        names = [service.name for service in plan.services]
        refuse_when_stale(plan, await _survey(project, assembly, inventory, names))


async def resume(
    project: Project,
    rollout: str | None = None,
    *,
    observer: Observer = nobody,
    interrupts: Interrupts | None = None,
) -> Report:
    """Go on with an interrupted or paused rollout; None means the only one there is."""
    record = unfinished(project, rollout)
    return await _work(project, _worker(project, observer, interrupts), record.id)


async def abort(
    project: Project,
    rollout: str | None = None,
    *,
    actor: str | None = None,
    observer: Observer = nobody,
    interrupts: Interrupts | None = None,
) -> Report:
    """Take an unfinished rollout back: a living controller is asked to and watched to its end,
    else it is done here."""
    record = unfinished(project, rollout)
    worker = _worker(project, observer, interrupts)
    project.journal.request(record.id, "abort", actor or whoami(), project.clock.now())
    if project.journal.is_alive(record.id):
        await _watch_to_end(project, record.id, observer)
        return report_of(project, record.id)
    return await _work(project, worker, record.id)


async def rollback(
    project: Project,
    target: str | None = None,
    *,
    hosts: str | None = None,
    actor: str | None = None,
    reason: str = "",
    observer: Observer = nobody,
    interrupts: Interrupts | None = None,
) -> Report:
    """Take a rollout (by id) or the last rollout of a service (by name) back; None: the last one
    that changed anything."""
    found, left = _rollout_to_take_back(project, target)
    record, plan = project.journal.load(found)
    targets = left.targets
    if hosts is not None:
        wanted = set(Inventory(project.config).select(hosts))
        targets = {
            name: {host: kept for host, kept in found.items() if host in wanted}
            for name, found in targets.items()
        }
    if not any(targets.values()):
        raise _nothing_left(project, record)
    _refuse_past_migration(project, record, plan, targets)
    back = rollback_plan(
        plan, targets, now=project.clock.now(), parent=record.id, failed=left.broken
    )
    return await execute(
        project,
        back,
        actor=actor,
        reason=reason or f"takes {record.id} back",
        observer=observer,
        interrupts=interrupts,
    )


def _refuse_past_migration(
    project: Project, record: RolloutRecord, plan: Plan, targets: Mapping[str, object]
) -> None:
    """Old code on a schema it cannot live with would be worse than the new code."""
    steps = project.journal.steps(record.id)
    for name in targets:
        service, migrate = plan.service(name), project.config.services[name].migrate
        done = steps.get(service.step_key("", StepKind.MIGRATE))
        declared = service.to.get("schema")
        if done is None or not done.good or declared is None:
            continue
        if done.result.get("schema_before") == declared or (migrate and migrate.down):
            continue
        raise NoWayBack(
            f"{name} was migrated to schema {declared} by {record.id}; there is no migrate.down",
            where=name,
            next="give migrate.down, or deploy a release that lives with this schema",
        )


def _rollout_to_take_back(project: Project, target: str | None) -> tuple[str, Left]:
    """The rollout with this id, or the last one that changed the service (None: anything): one
    that left nothing and that nobody took back is passed over."""
    journal = project.journal
    for record in journal.rollouts(200):
        if record.verb == Verb.ROLLBACK or record.parent:
            continue
        if target == record.id:
            return record.id, left_by(journal, record.id, record.services)
        asked = target is None or target in record.services
        if not asked or record.verb == Verb.RESTART or record.outcome not in ("done", "mixed"):
            continue
        left = left_by(journal, record.id, [n for n in record.services if target in (None, n)])
        if left.targets or taken_back_by(journal, record.id):
            return record.id, left
    raise UsageError(
        f"no rollout of {target or 'this project'} to take back",
        evidence=_under_way(project, target),
        next="gapless history",
    )


def _under_way(project: Project, target: str | None) -> str:
    """Unfinished rollouts of what is to be taken back: resume or abort is the way for those."""
    records = project.journal.rollouts(50, unfinished=True)
    return "\n".join(
        f"{record.id} is not finished: gapless resume {record.id} or gapless abort {record.id}"
        for record in records
        if not record.parent and (target is None or target in record.services)
    )


def _nothing_left(project: Project, record: RolloutRecord) -> UsageError:
    by = taken_back_by(project.journal, record.id)
    return UsageError(
        f"rollout {record.id} left nothing to take back",
        evidence=f"{by[0]} took it back"
        if by
        else "a restart of the same release changes nothing that could be restored",
        next="gapless history",
    )


def unfinished(project: Project, rollout: str | None) -> RolloutRecord:
    """The rollout meant by an id, or the only unfinished one; of several the only one whose locks
    nobody has broken. Raises UsageError."""
    if rollout is not None:
        record, _ = project.journal.load(rollout)
        if record.state is RolloutState.ENDED:
            raise UsageError(
                f"rollout {rollout} is over: {record.outcome}", next=f"gapless history {rollout}"
            )
        return record
    records = [r for r in project.journal.rollouts(50, unfinished=True) if not r.parent]
    if len(records) == 1:
        return records[0]
    if not records:
        raise UsageError("no rollout is unfinished", next="gapless history")
    owners = {lock.rollout for lock in project.journal.locks()}
    owning = [record for record in records if record.id in owners]
    if len(owning) == 1:
        return owning[0]
    raise UsageError(
        "several rollouts are unfinished; say which",
        evidence="\n".join(f"{r.id}  {' '.join(r.services)}" for r in records),
        next=f"the same command with an id, for example {records[0].id}",
    )


def _worker(project: Project, observer: Observer, interrupts: Interrupts | None) -> Worker:
    def assemble(plan: Plan) -> Assembly:
        return ProjectAssembly(from_definitions(plan), project.clock, project.connections)

    return Worker(
        project.journal,
        project.clock,
        assemble,
        observer=observer,
        interrupts=interrupts or Interrupts(),
    )


async def _work(project: Project, worker: Worker, rollout: str, *, prove: bool = False) -> Report:
    """Work on a rollout with its sinks told and its gap measured."""
    _, plan = project.journal.load(rollout)

    async def handle(rollout: str) -> int:
        return (await worker.work(rollout)).exit_code

    config = wanted(project) if prove else None
    watching = worker.observer

    def observe(event: Event) -> None:
        watching(event)
        hub.offer(event)

    async with SinkHub(project.config.events, project.folder, project.clock) as hub:
        for event in project.journal.events(rollout):
            hub.replay(event)
        worker.observer = observe
        async with proved(config, project, worker, rollout):
            await InlineDispatcher(handle).submit(rollout)
    return summarize(plan, project.journal.events(rollout), sinks=hub.complaints)


def report_of(project: Project, rollout: str) -> Report:
    """The report of a rollout as the journal knows it."""
    _, plan = project.journal.load(rollout)
    return summarize(plan, project.journal.events(rollout))


async def _watch_to_end(project: Project, rollout: str, observer: Observer) -> None:
    seen = 0
    while True:
        for event in project.journal.events(rollout, after=seen):
            seen = event.seq
            observer(event)
        record, _ = project.journal.load(rollout)
        if record.state is not RolloutState.RUNNING or not project.journal.is_alive(rollout):
            return
        await project.clock.sleep(0.2)


def signal(project: Project, rollout: str | None, request: str, actor: str | None = None) -> str:
    """Ask a running rollout to pause, resume or promote; returns its id."""
    record = unfinished(project, rollout)
    project.journal.request(record.id, request, actor or whoami(), project.clock.now())
    return record.id


# -- looking --------------------------------------------------------------------------------


async def status(project: Project, services: Sequence[str] = ()) -> list[StatusRow]:
    """What runs where now; services by name or glob, default all."""
    inventory = Inventory(project.config)
    async with _assembled(project) as assembly:
        return await ask_status(assembly, inventory, inventory.services(services))


async def doctor(project: Project, hosts: str | None = None) -> list[Finding]:
    """Findings about each host, with remedies; ``hosts`` as for ``--hosts``."""
    inventory = Inventory(project.config)
    chosen = inventory.select(hosts) if hosts else tuple(project.config.hosts)
    async with _assembled(project) as assembly:
        return await examine_hosts(assembly, inventory, chosen)


def locks(project: Project) -> Sequence[LockRecord]:
    """Services owned now, by whom, since when and why."""
    return project.journal.locks()


async def break_lock(
    project: Project, service: str, *, actor: str | None = None, reason: str = ""
) -> LockRecord | None:
    """Take a service away from its owner, here and on its hosts (audited in both places). Raises
    UsageError for a service that neither the file nor a lock knows."""
    from gapless.lockbreaking import break_on_hosts, config_of_lock

    held = next((lock for lock in project.journal.locks() if lock.service == service), None)
    config = config_of_lock(project.config, project.journal, service, held)
    async with _assembled(project, config) as assembly:
        await break_on_hosts(project.config.project, service, assembly, actor or whoami(), reason)
    event = Event(
        "lock.broken",
        rollout=held.rollout if held else "",
        service=service,
        actor=actor or whoami(),
        reason=reason,
        ts=project.clock.now(),
    )
    return project.journal.break_lock(service, event)
