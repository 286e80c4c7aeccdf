"""The way back as a plan of its own.

1. Only instances with something to go back to are in it.
2. Services go back in the reverse of their dependency order: what depends first.
3. Of each service, failed instances go first, then the others in the order they were switched;
   as many at once as the original replaced, so the floor stays the same, and never two of a zone
   where the original kept to that. Nobody is waited for between groups. Where there was none
   before it is removed: those go last and apart from the others, and the floor is lower by them.
4. The steps are those of any replacement without what brings something new.
5. The first failure stops it: a way back that does not work is not tried on the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gapless import schedule
from gapless.batching import cut
from gapless.plans import Batch, Plan, ServicePlan, StepKind, Verb

_FORWARD_ONLY = frozenset((StepKind.STAGE, StepKind.MIGRATE, StepKind.WARM, StepKind.SHIFT))

Targets = Mapping[str, Mapping[str, Any]]
"""Service to host to the snapshot it goes back to."""


def rollback_plan(
    original: Plan,
    targets: Targets,
    *,
    now: float,
    parent: str,
    failed: Mapping[str, Collection[str]] | None = None,
) -> Plan:
    """A plan that takes the given instances of ``original`` back; ``failed`` hosts go first."""
    order = _reversed_order(original, [name for name in targets if targets[name]])
    wave = schedule.waves(order)
    services = [
        replace(
            _back(original.service(name), targets[name], (failed or {}).get(name, ())),
            wave=wave[name],
            after=before,
        )
        for name, before in order.items()
    ]
    services.sort(key=lambda service: service.wave)
    return replace(
        original,
        verb=Verb.ROLLBACK,
        services=tuple(services),
        untouched=(),
        expected=schedule.expected(services, original.parallel),
        skip_migrations=True,
        parent=parent,
        observed=False,
        created=now,
    )


def _reversed_order(original: Plan, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Each service to those that must be back before it: the ones that depend on it."""
    after = {service.name: service.after for service in original.services}
    forward = schedule.among([name for name in after if name in frozenset(names)], after)
    backward: dict[str, list[str]] = {name: [] for name in forward}
    for name, before in forward.items():
        for earlier in before:
            backward[earlier].append(name)
    return {name: tuple(later) for name, later in backward.items()}


def _back(
    service: ServicePlan, snapshots: Mapping[str, Any], failed: Collection[str]
) -> ServicePlan:
    kept = [host for host in service.hosts if host in snapshots]
    removed = [host for host in kept if was_absent(snapshots[host])]
    hosts = [host for host in kept if host not in removed]
    hosts.sort(key=lambda host: host not in failed)
    size = max((len(batch.hosts) for batch in service.batches), default=1)
    batches = [*cut(hosts, size, service.zones), *cut(removed, size, service.zones)]
    hosts += removed
    gone = {*removed, *(h for h in service.installs if h in failed and h not in snapshots)}
    return replace(
        service,
        steps=tuple(step for step in service.steps if step not in _FORWARD_ONLY),
        batches=tuple(Batch(f"batch{number}", batch) for number, batch in enumerate(batches, 1)),
        floor=max(0, service.floor - len(gone)),
        on_failure="stop",
        to={},
        from_={host: service.to["name"] for host in hosts if service.to.get("name")},
        images={host: service.images[host][::-1] for host in hosts if host in service.images},
        fingerprints={},
        config={},
        config_from={},
        config_changes=(),
        snapshots={host: snapshots[host] for host in hosts},
        held=0.0,
        notes=(),
        installs=(),
        absent={},
        unfit={},
        down={},
    )


def was_absent(snapshot: Mapping[str, Any]) -> bool:
    """Whether there was nothing before: going back removes it."""
    return bool(((snapshot.get("runtime") or {}).get("facts") or {}).get("absent"))
