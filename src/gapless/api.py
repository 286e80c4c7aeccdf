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

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gapless.builds import BuildRow, build_all
from gapless.catching_up import CatchUpOptions, make_catch_up, missed_now
from gapless.config.definitions import from_definitions
from gapless.config.project import ProjectConfig
from gapless.drivers.sinks.hub import SinkHub
from gapless.engine.aborting import ask_to_abort
from gapless.engine.approvals import Approval, grant
from gapless.engine.assembly import Assembly
from gapless.engine.dispatcher import InlineDispatcher
from gapless.engine.interrupts import Interrupts
from gapless.engine.journal import LockRecord, RolloutRecord, RolloutState, every_event
from gapless.engine.project_assembly import ProjectAssembly
from gapless.engine.standing import refuse_owned
from gapless.engine.worker import Worker, whoami
from gapless.errors import UsageError
from gapless.events.event import Event
from gapless.finding import Finding
from gapless.going_back import make_rollback
from gapless.inventory.inventory import Inventory
from gapless.lockbreaking import BrokenLock, break_on_hosts, config_of_lock
from gapless.lockholders import HostLocks, ask_holders
from gapless.planned import make_plan, refuse_stale
from gapless.planning import store
from gapless.planning.by_hand import plan_by_hand
from gapless.plans import Plan, Verb
from gapless.project import Project, assembled, connected, load
from gapless.proving import Proof, opened, proved
from gapless.report.report import Report
from gapless.report.summarize import summarize
from gapless.status import StatusRow, ask_status, with_behind

__all__ = [
    "CatchUpOptions", "Observer", "Project", "abort", "approve", "break_lock", "build",
    "connected", "doctor", "execute", "load", "load_plan", "lock_owners", "locks",
    "locks_on_hosts", "make_by_hand", "make_catch_up", "make_plan", "make_rollback", "report_of",
    "resume", "rollback", "signal", "status", "unfinished", "unfinished_of",
]  # fmt: skip

Observer = Callable[[Event], None]


def nobody(event: Event) -> None:
    """An observer that does not look."""


def load_plan(path: str | Path) -> Plan:
    """A plan written by ``gapless plan -o``; Refused when somebody changed it."""
    return store.load(path)


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
        refuse_owned(project.journal, {one.service for one in plan.untouched})
        return summarize(plan, [])
    if check_stale:
        await refuse_stale(project, plan)
    async with opened(project, plan, prove=prove) as proof:
        worker = _worker(project, observer, interrupts)
        rollout = worker.open(plan, actor=actor or whoami(), reason=reason)
        return await _work(project, worker, rollout, proof)


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
    reason: str = "",
    observer: Observer = nobody,
    interrupts: Interrupts | None = None,
) -> Report:
    """Take an unfinished rollout back: a living controller is asked to and watched to its end,
    else it is done here."""
    record = unfinished(project, rollout)
    worker = _worker(project, observer, interrupts)
    ask_to_abort(project.journal, record.id, actor or whoami(), reason, project.clock.now())
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
    back = make_rollback(project, target, hosts)
    return await execute(
        project,
        back,
        actor=actor,
        reason=reason or f"takes {back.parent} back",
        observer=observer,
        interrupts=interrupts,
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


async def _work(
    project: Project, worker: Worker, rollout: str, proof: Proof | None = None
) -> Report:
    """Work on a rollout with its sinks told and its gap measured."""
    _, plan = project.journal.load(rollout)

    async def handle(rollout: str) -> int:
        return (await worker.work(rollout)).exit_code

    watching = worker.observer

    def observe(event: Event) -> None:
        watching(event)
        hub.offer(event)

    async with SinkHub(project.config.events, project.folder, project.clock) as hub:
        for event in every_event(project.journal, rollout):
            hub.replay(event)
        worker.observer = observe
        async with proved(proof, project, worker, rollout):
            await InlineDispatcher(handle).submit(rollout)
    return summarize(plan, every_event(project.journal, rollout), sinks=hub.complaints)


def report_of(project: Project, rollout: str) -> Report:
    """The report of a rollout as the journal knows it."""
    _, plan = project.journal.load(rollout)
    return summarize(plan, every_event(project.journal, rollout))


async def _watch_to_end(project: Project, rollout: str, observer: Observer) -> None:
    seen, over = 0, False
    while True:
        for event in every_event(project.journal, rollout, seen):
            seen = event.seq
            observer(event)
        if over:
            return
        record, _ = project.journal.load(rollout)
        alive = project.journal.is_alive(rollout)
        over = record.state is not RolloutState.RUNNING or not alive
        if over:
            continue  # what it wrote last is read once more
        await project.clock.sleep(0.2)


def unfinished_of(project: Project, verb: str, services: Sequence[str] = ()) -> RolloutRecord:
    """The unfinished rollout that restarts or deploys any of these services (by name or glob; all
    by default). Raises UsageError when there is none, or more than one."""
    names = Inventory(project.config).services(services)
    records = [r for r in project.journal.rollouts(50, unfinished=True) if not r.parent]
    touching = [r for r in records if not services or set(names) & set(r.services)]
    found = [record for record in touching if record.verb == verb]
    if len(found) == 1:
        return found[0]
    asked = " ".join(services)
    lines = [f"{r.id}  {r.verb} of {' '.join(r.services)}" for r in found or touching]
    if found:
        what, to = f"several rollouts of {asked or 'these services'} are unfinished", found[0].id
        raise UsageError(what, evidence="\n".join(lines), next=f"gapless resume {to}")
    what = f"no {verb} of {asked or 'this project'} is unfinished"
    begin = f"gapless resume {touching[0].id}" if touching else f"gapless {verb} {asked}".rstrip()
    raise UsageError(what, evidence="\n".join(lines), next=begin)


def approve(
    project: Project, rollout: str | None = None, *, actor: str | None = None, reason: str = ""
) -> Sequence[Approval]:
    """Approve all that a rollout waits for between its groups; returns what that was. Whoever works
    on it goes on, else :func:`resume` does."""
    record = unfinished(project, rollout)
    now = project.clock.now()
    return grant(project.journal, record.id, actor=actor or whoami(), reason=reason, now=now)


def signal(project: Project, rollout: str | None, request: str, actor: str | None = None) -> str:
    """Ask a running rollout to pause, resume or promote; returns its id."""
    record = unfinished(project, rollout)
    project.journal.request(record.id, request, actor or whoami(), project.clock.now())
    return record.id


def make_by_hand(
    project: Project,
    verb: Literal["drain", "admit"],
    instances: Sequence[str],
    *,
    hosts: str | None = None,
    force: str | None = None,
) -> Plan:
    """The plan that takes instances (``shop.api@web3``) out of traffic or lets them in;
    ``force`` is the reason for skipping health gates."""
    return plan_by_hand(
        project.loaded,
        Verb(verb),
        instances,
        hosts=hosts,
        force=force or "",
        now=project.clock.now(),
    )


# -- looking --------------------------------------------------------------------------------


async def build(project: Project, services: Sequence[str] = ()) -> list[BuildRow]:
    """Build what these services need (all that build something, when none is named), or find it
    built; no host is touched."""
    async with assembled(project) as assembly:
        chosen = Inventory(project.config).services(services) if services else ()
        return await build_all(assembly, chosen)


async def status(project: Project, services: Sequence[str] = ()) -> list[StatusRow]:
    """What runs where now; services by name or glob, default all."""
    inventory = Inventory(project.config)
    names = inventory.services(services)
    async with assembled(project) as assembly:
        rows = await ask_status(assembly, inventory, names)
    return with_behind(rows, missed_now(project, names))


async def doctor(project: Project, hosts: str | None = None) -> list[Finding]:
    """Findings about each host, with remedies; ``hosts`` as for ``--hosts``."""
    from gapless.doctor import examine_hosts  # no other verb needs it

    inventory = Inventory(project.config)
    chosen = inventory.machines(hosts) if hosts else tuple(project.config.hosts)
    async with assembled(project) as assembly:
        return await examine_hosts(assembly, inventory, chosen, project.clock)


def locks(project: Project) -> Sequence[LockRecord]:
    """Services owned now, by whom, since when and why."""
    return project.journal.locks()


async def locks_on_hosts(project: Project) -> HostLocks:
    """What hosts know of owners that :func:`locks` does not, and hosts that did not say."""
    known = {(lock.service, lock.rollout) for lock in project.journal.locks()}
    async with assembled(project) as assembly:
        found = await ask_holders(assembly, list(project.config.services))
    strange = (lock for lock in found.locks if (lock.service, lock.rollout) not in known)
    return replace(found, locks=tuple(strange))


async def lock_owners(project: Project, service: str) -> tuple[LockRecord | None, HostLocks]:
    """Who owns one service, here and on its hosts. Raises UsageError as ``break_lock``."""
    held, config = _held(project, service)
    async with assembled(project, config) as assembly:
        return held, await ask_holders(assembly, [service])


def _held(project: Project, service: str) -> tuple[LockRecord | None, ProjectConfig]:
    """Its owner here, and where its hosts stand."""
    locks = [lock for lock in project.journal.locks() if lock.service == service]
    config = config_of_lock(
        project.config, project.journal, service, locks[0] if locks else None
    )  # fmt: skip
    return next((lock for lock in locks if not lock.host), None), config


async def break_lock(
    project: Project, service: str, *, actor: str | None = None, reason: str = ""
) -> BrokenLock:
    """Take a service away from its owner, here and on its hosts (audited in both places). Raises
    UsageError for a service that neither the file nor a lock knows."""
    held, config = _held(project, service)
    async with assembled(project, config) as assembly:
        known = await ask_holders(assembly, [service])
        unreachable = await break_on_hosts(
            project.config.project, service, assembly, actor or whoami(), reason, project.journal
        )
    event = Event(
        "lock.broken",
        rollout=held.rollout if held else "",
        service=service,
        actor=actor or whoami(),
        reason=reason,
        ts=project.clock.now(),
    )
    project.journal.break_lock(service, event)
    return BrokenLock(held, unreachable, known.locks)
