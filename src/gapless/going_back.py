"""Taking a rollout back by hand: which one is meant, what it left, and whether there is a way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gapless.config.definitions import from_definitions
from gapless.config.services import ServiceConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.journal import RolloutRecord
from gapless.engine.taking_back import Left, left_by, taken_back_by
from gapless.errors import NoWayBack, UsageError
from gapless.inventory.inventory import Inventory
from gapless.plans import Plan, StepKind, Verb
from gapless.project import Project
from gapless.undo import Targets, rollback_plan


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
    project: Project, record: RolloutRecord, plan: Plan, targets: Targets
) -> None:
    """Old code on a schema it cannot live with would be worse than the new code."""
    steps = project.journal.steps(record.id)
    for name in targets:
        if not targets[name]:
            continue
        service = plan.service(name)
        config = project.config.services.get(name) or from_definitions(plan).services[name]
        declared = service.to.get("schema")
        if declared is None or _has_a_way_down(config):
            continue
        done = steps.get(service.step_key("", StepKind.MIGRATE))
        migrated = done is not None and done.good and done.result["schema_before"] != declared
        if not migrated and not _rises_at_start(config):
            continue
        if not any(_stuck(kept, declared, migrated) for kept in targets[name].values()):
            continue
        raise NoWayBack(
            f"{name} was brought to schema {declared} by {record.id}, which the release before"
            " cannot live with; neither migrate.down nor schema.bump is given",
            where=name,
            next="give one of them, or deploy a release that lives with this schema",
        )


def _rises_at_start(config: ServiceConfig) -> bool:
    schema = config.release.schema_ if config.release else None
    return schema is not None and schema.at_start


def _has_a_way_down(config: ServiceConfig) -> bool:
    """Whether the data goes down with the release, or the release is lifted over it."""
    schema = config.release.schema_ if config.release else None
    down = config.migrate is not None and config.migrate.down is not None
    return down or (schema is not None and schema.bump is not None)


def _stuck(kept: Mapping[str, Any], version: int, migrated: bool) -> bool:
    """Whether the release that is gone back to cannot live with the version; of one that declares
    none nobody knows: then it counts when the data was ``migrated``."""
    release = ReleaseRef.from_json(kept["release"]) if kept.get("release") else None
    if release is None or release.schema is None:
        return migrated
    return (release.reads or (0, release.schema))[1] < version


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
