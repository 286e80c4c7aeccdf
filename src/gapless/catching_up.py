"""Catching up: hosts that were down or failed get the release they missed, and no newer one.

1. The journal tells who missed which release of a service; of several the newest comes first, the
   hosts that missed an older one are left for the next time.
2. The release is the one that was verified: resolved by its name, with the digest and the artifact
   that were recorded. One that cannot be had any more is refused.
3. What an unfinished rollout owns is its business: it may have brought some of the hosts another
   release already, and nobody knows yet whether that is verified. So that is refused with who owns
   it, before any host is asked.
4. The plan is that of any deploy, for these hosts only, without migrations: they ran when the
   release was verified, and the schema guard holds. Hosts that still do not answer are no part of
   it: they are listed, and stay due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gapless.engine.missed import Missed, missed_by
from gapless.engine.standing import refuse_owned
from gapless.errors import Refused
from gapless.inventory.inventory import Inventory
from gapless.planned import make_plan
from gapless.planning.missing import stays_due
from gapless.plans import Plan
from gapless.project import Project


@dataclass(frozen=True, slots=True)
class CatchUpOptions:
    """What a person may say about it; None leaves what the file says."""

    hosts: str | None = None
    batch: str | int | None = None
    canary: str | int | None = None
    max_failed: int | None = None
    on_failure: str | None = None
    force: str | None = None


ALL = CatchUpOptions()


def missed_now(project: Project, names: Sequence[str]) -> Mapping[str, tuple[Missed, ...]]:
    """What hosts of these services missed, as the journal has it."""
    inventory = Inventory(project.config)
    hosts_of = {name: inventory.hosts_of(name) for name in names}
    return missed_by(project.journal, hosts_of, project.loaded.environment)


async def make_catch_up(
    project: Project, services: Sequence[str] = (), options: CatchUpOptions = ALL
) -> Plan:
    """The plan that brings what they missed to hosts; empty when nobody missed anything. Raises
    LockHeld when another rollout owns one of the services, Refused when those that did still do not
    answer, ReleaseGone, UsageError."""
    names = Inventory(project.config).services(services)
    refuse_owned(project.journal, names)
    missed = missed_now(project, names)
    plan = await make_plan(
        project,
        "deploy",
        services,
        hosts=options.hosts,
        batch=options.batch,
        canary=options.canary,
        max_failed=options.max_failed,
        on_failure=options.on_failure,
        skip_migrations=True,
        force=options.force,
        missed={name: missed.get(name, ()) for name in names},
    )
    if not plan.services:
        _refuse_silent(plan)
    return plan


def _refuse_silent(plan: Plan) -> None:
    """That nothing can be done now is no good news while somebody is behind."""
    away = [(left, host) for left in plan.untouched for host in left.hosts if stays_due(left)]
    if away:
        hosts = dict.fromkeys(host for _, host in away)
        raise Refused(
            "no host that is behind can be caught up now",
            evidence="\n".join(f"{left.service} on {host}: {left.why}" for left, host in away),
            next=f"gapless doctor --hosts {','.join(hosts)}",
        )
