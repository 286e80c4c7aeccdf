"""Taking a rollout back by hand: which one is meant, what it left, and whether there is a way."""

from __future__ import annotations

from collections.abc import Mapping

from gapless.config.definitions import from_definitions
from gapless.engine.journal import RolloutRecord
from gapless.engine.taking_back import Left, left_by, taken_back_by
from gapless.errors import NoWayBack, UsageError
from gapless.inventory.inventory import Inventory
from gapless.plans import Plan, StepKind, Verb
from gapless.project import Project
from gapless.undo import rollback_plan


def make_rollback(project: Project, target: str | None, hosts: str | None) -> Plan:
    """The plan that takes a rollout (by id) or the last rollout of a service (by name) back, on
    all hosts or those selected. Raises UsageError, NoWayBack."""
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
        raise _nothing_left(project, record, plan, hosts)
    _refuse_past_migration(project, record, plan, targets)
    return rollback_plan(
        plan, targets, now=project.clock.now(), parent=record.id, failed=left.broken
    )


def _refuse_past_migration(
    project: Project, record: RolloutRecord, plan: Plan, targets: Mapping[str, Mapping[str, object]]
) -> None:
    """Old code on a schema it cannot live with would be worse than the new code."""
    steps = project.journal.steps(record.id)
    for name in targets:
        if not targets[name]:
            continue
        service = plan.service(name)
        config = project.config.services.get(name) or from_definitions(plan).services[name]
        migrate = config.migrate
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


def _nothing_left(
    project: Project, record: RolloutRecord, plan: Plan, hosts: str | None
) -> UsageError:
    where = f" on {hosts}" if hosts else ""
    return UsageError(
        f"rollout {record.id} left nothing to take back{where}",
        evidence=_why_nothing(project, record, plan, hosts),
        next="gapless history",
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
