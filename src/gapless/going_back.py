"""Taking a rollout back by hand: which one is meant, what it left, and whether there is a way."""

from __future__ import annotations

from dataclasses import replace

from gapless.config.definitions import from_definitions
from gapless.data_back import DataBack, migration_of, refuse_past_later, with_ways_of_today
from gapless.engine.journal import RolloutRecord
from gapless.engine.standing import refuse_owned, standing, ways_on
from gapless.engine.taking_back import Left, deployed_since, left_by, taken_back_by
from gapless.errors import UsageError
from gapless.files_back import files_back
from gapless.inventory.inventory import Inventory
from gapless.planning.by_hand import opposite
from gapless.plans import Plan, ServicePlan, StepKind, Verb
from gapless.project import Project
from gapless.undo import rollback_plan


def make_rollback(project: Project, target: str | None, hosts: str | None) -> Plan:
    """The plan that takes a rollout (by id) or the last rollout of a service (by name) back, on
    all hosts or those selected. Raises UsageError, NoWayBack, or LockHeld
    where an unfinished rollout is to be ended first: an older one is not what is meant then."""
    refuse_owned(project.journal, [target])
    found, left = _rollout_to_take_back(project, target)
    record, plan = project.journal.load(found)
    targets = left.targets
    if hosts is not None:
        wanted = set(Inventory(project.config).select(hosts))
        targets = {
            name: {host: kept for host, kept in found.items() if host in wanted}
            for name, found in targets.items()
        }
    left_of = [name for name, kept in targets.items() if kept]
    refuse_owned(project.journal, left_of or record.services)
    if not left_of:
        raise _nothing_left(project, record, plan, hosts)
    plan, recorded = with_ways_of_today(plan, project.config), from_definitions(plan).services
    back = rollback_plan(
        plan, targets, now=project.clock.now(), parent=record.id, failed=left.broken
    )
    data = {one.name: _data(project, record, plan, one, left) for one in back.services}
    for one in back.services:
        data[one.name].refuse()
        refuse_past_later(project.journal, data[one.name], _since(project, record, one))
    file = project.path.name
    return replace(
        back,
        services=tuple(
            replace(
                one,
                config_changes=files_back(plan.service(one.name).config_changes, one.hosts),
                notes=(
                    *one.notes,
                    *_superseded(project, record, one),
                    *data[one.name].notes(file, recorded[one.name]),
                ),
            )
            for one in back.services
        ),
    )


def _data(
    project: Project, record: RolloutRecord, plan: Plan, back: ServicePlan, left: Left
) -> DataBack:
    name, original = back.name, plan.service(back.name)
    every = left.targets[name]
    return DataBack(
        record.id,
        original,
        from_definitions(plan).services[name],
        migration_of(project.journal, record.id, original),
        {host: every[host] for host in back.hosts},
        [host for host in every if host not in back.hosts],
    )


def _since(project: Project, record: RolloutRecord, service: ServicePlan) -> tuple[str, ...]:
    return deployed_since(project.journal, record.id, service.name, service.hosts)


def _superseded(project: Project, record: RolloutRecord, service: ServicePlan) -> tuple[str, ...]:
    """What was deployed since, and is lost by going back further."""
    name = service.name
    later = _since(project, record, service)
    since = f"{name}: deployed again since {record.id}, by {', '.join(later)}"
    return (f"{since}: this goes back to before {record.id}",) if later else ()


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
    under_way = _under_way(project, target)
    raise UsageError(
        f"no rollout of {target or 'this project'} to take back",
        evidence="\n".join(f"{record.id} is not finished" for record in under_way),
        next="\n".join(map(ways_on, under_way)) or "gapless history",
    )


def _under_way(project: Project, target: str | None) -> list[RolloutRecord]:
    """Unfinished rollouts of what is to be taken back: resume or abort is the way for those."""
    return [
        standing(project.journal, record)
        for record in project.journal.rollouts(50, unfinished=True)
        if not record.parent and (target is None or target in record.services)
    ]


def _nothing_left(
    project: Project, record: RolloutRecord, plan: Plan, hosts: str | None
) -> UsageError:
    where = f" on {hosts}" if hosts else ""
    return UsageError(
        f"rollout {record.id} left nothing to take back{where}",
        evidence=_why_nothing(project, record, plan, hosts),
        next=opposite(plan) if plan.verb.by_hand else "gapless history",
    )


def _why_nothing(project: Project, record: RolloutRecord, plan: Plan, hosts: str | None) -> str:
    by = taken_back_by(project.journal, record.id)
    if by:
        return f"{by[0]} took it back"
    if plan.verb is Verb.RESTART:
        return "a restart of the same release changes nothing that could be restored"
    steps = project.journal.steps(record.id)
    if not any(s.step_key(host, StepKind.SWITCH) in steps for s, host in plan.instances()):
        return "it switched nothing"
    return "what it switched is on other hosts, or old again" if hosts else "all of it is old again"
