"""Taking a rollout back by hand: which one is meant, what it left, and whether there is a way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gapless.config.definitions import from_definitions
from gapless.config.releases import SchemaConfig
from gapless.config.services import ServiceConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.journal import RolloutRecord
from gapless.engine.standing import refuse_owned
from gapless.engine.taking_back import Left, deployed_since, left_by, taken_back_by
from gapless.errors import NoWayBack, UsageError
from gapless.inventory.inventory import Inventory
from gapless.planning.by_hand import opposite
from gapless.plans import Plan, ServicePlan, StepKind, Verb
from gapless.project import Project
from gapless.undo import Targets, rollback_plan


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
    _refuse_past_migration(project, record, plan, targets)
    back = rollback_plan(
        plan, targets, now=project.clock.now(), parent=record.id, failed=left.broken
    )
    return replace(
        back,
        services=tuple(
            replace(
                one,
                notes=(
                    *one.notes,
                    *_superseded(project, record, one),
                    *_bumps(project, plan, one.name, targets[one.name]),
                ),
            )
            for one in back.services
        ),
    )


def _superseded(project: Project, record: RolloutRecord, service: ServicePlan) -> tuple[str, ...]:
    """What was deployed since, and is lost by going back further."""
    name = service.name
    later = deployed_since(project.journal, record.id, name, service.hosts)
    since = f"{name}: deployed again since {record.id}, by {', '.join(later)}"
    return (f"{since}: this goes back to before {record.id}",) if later else ()


def _bumps(
    project: Project, plan: Plan, name: str, snapshots: Mapping[str, Any]
) -> tuple[str, ...]:
    """What the data will not take back, and what lifts the older releases over it."""
    service, schema = plan.service(name), _schema(_config(project, plan, name))
    raised = service.to.get("schema")
    if schema is None or schema.bump is None or raised is None:
        return ()
    stuck = [kept for kept in snapshots.values() if _stuck(kept, service, migrated=False)]
    old = ", ".join(dict.fromkeys(kept["release"]["name"] for kept in stuck))
    if not old:
        return ()
    rose = f"where the schema rose to {raised} it stays"
    return (f"{name}: {rose}, and {old} is bumped to {raised + 1}",)


def _refuse_past_migration(
    project: Project, record: RolloutRecord, plan: Plan, targets: Targets
) -> None:
    """Old code on a schema it cannot live with would be worse than the new code."""
    steps = project.journal.steps(record.id)
    for name in targets:
        if not targets[name]:
            continue
        service = plan.service(name)
        config = _config(project, plan, name)
        declared = service.to.get("schema")
        if declared is None or _has_a_way_down(config):
            continue
        done = steps.get(service.step_key("", StepKind.MIGRATE))
        migrated = done is not None and done.good and done.result["schema_before"] != declared
        if not migrated and not _rises_at_start(config):
            continue
        if not any(_stuck(kept, service, migrated=migrated) for kept in targets[name].values()):
            continue
        raise NoWayBack(
            f"{name} was brought to schema {declared} by {record.id}, which the release before"
            " cannot live with; neither migrate.down nor schema.bump is given",
            where=name,
            next="give one of them, or deploy a release that lives with this schema",
        )


def _rises_at_start(config: ServiceConfig) -> bool:
    schema = _schema(config)
    return schema is not None and schema.at_start


def _config(project: Project, plan: Plan, name: str) -> ServiceConfig:
    return project.config.services.get(name) or from_definitions(plan).services[name]


def _schema(config: ServiceConfig) -> SchemaConfig | None:
    return config.release.schema_ if config.release else None


def _has_a_way_down(config: ServiceConfig) -> bool:
    """Whether the data goes down with the release, or the release is lifted over it."""
    schema = _schema(config)
    down = config.migrate is not None and config.migrate.down is not None
    return down or (schema is not None and schema.bump is not None)


def _stuck(kept: Mapping[str, Any], service: ServicePlan, *, migrated: bool) -> bool:
    """Whether the release that is gone back to cannot live with the version that ``service``
    brought; where nobody knows what it lives with it counts when the data was ``migrated``."""
    release = ReleaseRef.from_json(kept["release"]) if kept.get("release") else None
    before = service.schema_live
    if release is None or (release.schema is None and before is None):
        return migrated
    return release.newest(before or 0) < int(service.to["schema"])


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
