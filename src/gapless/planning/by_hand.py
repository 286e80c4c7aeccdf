"""Instances taken out of traffic, or let in, by a person: which are meant, and the plan for it.

1. A word is an instance (``shop.api@web3``, hosts as for ``--hosts``: ``shop.api@web[1:3]``), a
   service or a glob of them with ``--hosts``, or hosts alone: then every service there that has a
   balancer.
2. ``--hosts`` narrows them. Which services are meant may be left to a pattern, which hosts never.
3. The plan drains, or asks the instance's own checks and admits. The floor is the one a rollout
   holds; what goes out stays out, so all that is asked for has to be above it at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gapless import schedule
from gapless.config.definitions import to_definitions
from gapless.config.quantities import resolve_amount
from gapless.config.services import ServiceConfig
from gapless.config.source import Loaded
from gapless.errors import UsageError
from gapless.inventory.inventory import Inventory
from gapless.planning.balancer_notes import with_costs
from gapless.planning.estimate import estimate
from gapless.plans import Batch, Plan, ServicePlan, StepKind, Verb

_STEPS: Mapping[Verb, tuple[StepKind, ...]] = {
    Verb.DRAIN: (StepKind.DRAIN,),
    Verb.ADMIT: (StepKind.READY, StepKind.ADMIT),
}


def plan_by_hand(
    loaded: Loaded,
    verb: Verb,
    words: Sequence[str],
    *,
    hosts: str | None = None,
    force: str = "",
    now: float = 0.0,
) -> Plan:
    """The plan for what the words mean; ``force`` is the reason for skipping health gates. Raises
    UsageError for words that mean nothing, or nothing that has a balancer."""
    project = loaded.project
    inventory = Inventory(project)
    found = meant(inventory, project.services, words, hosts)
    services = tuple(
        _service(name, project.services[name], verb, inventory.hosts_of(name), places)
        for name, places in found.items()
    )
    services = with_costs(services, project, None)
    return Plan(
        project=project.project,
        verb=verb,
        services=services,
        definitions=to_definitions(loaded, found),
        environment=loaded.environment,
        parallel=project.defaults.parallel,
        connections=project.defaults.connections,
        deadline=project.defaults.deadline,
        host_deadline=project.defaults.host_deadline,
        expected=schedule.expected(services, project.defaults.parallel),
        force=force,
        created=now,
    )


def opposite(plan: Plan) -> str:
    """The command that undoes a drain or an admit by hand."""
    verb = Verb.ADMIT if plan.verb is Verb.DRAIN else Verb.DRAIN
    return f"gapless {verb.value} {' '.join(f'{s.name}@{host}' for s, host in plan.instances())}"


def meant(
    inventory: Inventory,
    services: Mapping[str, ServiceConfig],
    words: Sequence[str],
    hosts: str | None,
) -> dict[str, tuple[str, ...]]:
    """Service to its hosts that are meant, in the order of the file."""
    only = None if hosts is None else frozenset(inventory.select(hosts))
    if not words and only is None:
        raise UsageError("which instance is meant?", next="gapless status")
    found: dict[str, set[str]] = {}
    for word in words or ("*",):
        for name, places in _named(inventory, services, word, only):
            found.setdefault(name, set()).update(places)
    return {
        name: tuple(host for host in inventory.hosts_of(name) if host in found[name])
        for name in services
        if found.get(name)
    }


def _named(
    inventory: Inventory,
    services: Mapping[str, ServiceConfig],
    word: str,
    only: frozenset[str] | None,
) -> Iterable[tuple[str, set[str]]]:
    """What one word means; UsageError when that is nothing."""
    patterns, hosts = _read(inventory, word, only)
    names = inventory.services(patterns)
    chosen = {name: frozenset(inventory.hosts_of(name)) for name in names}
    if hosts is not None:
        places = frozenset(inventory.select(hosts))
        chosen = {name: at & places for name, at in chosen.items()}
    chosen = {name: at & only if only is not None else at for name, at in chosen.items()}
    chosen = {name: at for name, at in chosen.items() if at}
    balanced = [(name, set(at)) for name, at in chosen.items() if services[name].balancer]
    if not chosen:
        where = hosts or ", ".join(sorted(only or ()))
        raise UsageError(f"no instance of {_of(patterns)} is on {where}", next="gapless status")
    if not balanced:
        raise UsageError(
            f"{', '.join(chosen)} has no balancer: nothing sends it traffic that could be moved",
            next="gapless explain balancer",
        )
    return balanced


def _read(
    inventory: Inventory, word: str, only: frozenset[str] | None
) -> tuple[tuple[str, ...], str | None]:
    """Patterns of services, and the hosts expression in the word (None: ``--hosts`` has it)."""
    service, at, hosts = word.rpartition("@")
    if at:
        return (service,), hosts
    try:
        inventory.services((word,))
    except UsageError:
        return (), word  # no service: then hosts, or nothing at all
    if only is None:
        raise UsageError(
            f"which instance of {word} is meant?", next=f"{word}@HOST, or --hosts with it"
        )
    return (word,), None


def _of(patterns: Sequence[str]) -> str:
    return patterns[0] if patterns else "any service"


def _service(
    name: str,
    service: ServiceConfig,
    verb: Verb,
    everywhere: Sequence[str],
    hosts: tuple[str, ...],
) -> ServicePlan:
    total = len(everywhere)
    may_be_out = resolve_amount(service.rollout.max_unavailable, total, at_least=1)
    steps = _STEPS[verb]
    seconds, known = estimate(name, service.model_copy(update={"expected": None}), steps, None)
    return ServicePlan(
        name=name,
        wave=1,
        after=(),
        steps=steps,
        batches=(Batch("batch1", hosts),),
        total=total,
        floor=max(0, total - may_be_out) if verb is Verb.DRAIN else 0,
        max_failed=0,
        on_failure="stop",
        pause=0.0,
        expected=seconds,
        known=known,
    )
