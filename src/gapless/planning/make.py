"""Make a plan: pure, from a project, a wish, and what was seen on the hosts.

1. The services asked for are put into dependency order; dependencies nobody asked for are left
   alone and listed.
2. Of each, the hosts asked for that have something to do are taken; the rest is listed with why.
3. The schema guard refuses what the data could not live with.
4. The strategy makes batches and steps; estimates come from history where there is any.
5. The plan carries the definitions of all involved, so that later edits of the file change
   nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gapless import schedule
from gapless.config.definitions import to_definitions
from gapless.config.neighbours import neighbours_in
from gapless.config.services import ServiceConfig
from gapless.config.source import Loaded
from gapless.drivers.releases.base import ReleaseRef
from gapless.errors import UsageError
from gapless.inventory import Inventory
from gapless.planning.arranging import Arranging
from gapless.planning.balancer_notes import with_costs
from gapless.planning.choosing import (
    NO_RELEASE,
    Choice,
    bystanders,
    choose,
    down_now,
    fingerprints_now,
    images_now,
    installs_now,
    releases_now,
)
from gapless.planning.clustering import spared, with_cluster
from gapless.planning.configuring import changes, marks_now, marks_wanted
from gapless.planning.deployment_kind import kinds_of
from gapless.planning.estimate import estimate
from gapless.planning.evidence import evidence_notes
from gapless.planning.guard import guard_schema, live_schema
from gapless.planning.migrating import migration_notes
from gapless.planning.missing import note_of, without_absent
from gapless.planning.notes import drained_notes, notes_of
from gapless.planning.options import PlanOptions, Target
from gapless.planning.refusals import counted, failing_now, refusals
from gapless.planning.sharing import beside_notes, held, share_notes
from gapless.planning.survey import Seen, Survey
from gapless.planning.traffic import with_traffic
from gapless.planning.unsure import unsure_notes
from gapless.plans import Plan, ServicePlan, StepKind, Untouched, Verb
from gapless.strategies import STRATEGIES, rolling

NO_OPTIONS = PlanOptions()


def make_plan(
    loaded: Loaded,
    *,
    verb: Verb,
    services: Sequence[str] = (),
    hosts: str | None = None,
    options: PlanOptions = NO_OPTIONS,
    targets: Mapping[str, Target] | None = None,
    survey: Survey | None = None,
    history: Mapping[str, float] | None = None,
    now: float = 0.0,
) -> Plan:
    """The plan for what was asked; empty when there is nothing to do.

    ``hosts`` is a ``--hosts`` expression; ``targets`` the releases a deploy brings; ``history``
    seconds one instance took before. Raises UsageError, Refused, NoWayBack.
    """
    inventory = Inventory(loaded.project)
    chosen = inventory.services(services)
    wanted = None if hosts is None else frozenset(inventory.select(hosts))
    wish = _Wish(verb, wanted, options, targets or {}, survey, history)
    parts = [_part(name, loaded.project.services[name], inventory, wish) for name in chosen]
    steered = [with_traffic(part, survey, force=options.force) for part, _ in parts if part]
    seen = survey.clusters if survey else {}
    steered = [with_cluster(one, seen.get(one.name), force=options.force) for one in steered]
    planned = _warned(_in_order(steered, loaded), wish)
    planned = with_costs(planned, loaded.project, survey)
    untouched = [left for _, lefts in parts for left in lefts]
    if not planned and untouched and all(left.why == NO_RELEASE for left in untouched):
        raise _nothing_to_deploy([left.service for left in untouched])
    return Plan(
        project=loaded.project.project,
        verb=verb,
        services=planned,
        definitions=to_definitions(loaded, [service.name for service in planned]),
        environment=loaded.environment,
        untouched=(*untouched, *bystanders(chosen, loaded.project, inventory)),
        parallel=loaded.project.defaults.parallel,
        connections=loaded.project.defaults.connections,
        deadline=loaded.project.defaults.deadline,
        host_deadline=loaded.project.defaults.host_deadline,
        expected=schedule.expected(planned, loaded.project.defaults.parallel),
        skip_migrations=options.skip_migrations,
        force=options.force,
        observed=survey is not None,
        created=now,
    )


def _nothing_to_deploy(names: Sequence[str]) -> UsageError:
    told = (
        names[0] if len(names) == 1 else f"none of {', '.join(names[:3])}{'…' * (len(names) > 3)}"
    )
    return UsageError(
        f"{told} {NO_RELEASE}",
        next=f"gapless restart {names[0]}, or give it release: in gapless.yaml",
    )


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is the same for every service of a plan."""

    verb: Verb
    wanted: frozenset[str] | None
    options: PlanOptions
    targets: Mapping[str, Target]
    survey: Survey | None
    history: Mapping[str, float] | None

    def target(self, name: str) -> Target:
        return self.targets.get(name, Target())

    def wanted_of(self, name: str) -> frozenset[str] | None:
        """Hosts that are asked for: of a catch-up those that missed the release."""
        catch_up = self.target(name).catch_up
        if catch_up is None:
            return self.wanted
        return catch_up.hosts if self.wanted is None else catch_up.hosts & self.wanted


def _part(
    name: str, service: ServiceConfig, inventory: Inventory, wish: _Wish
) -> tuple[ServicePlan | None, tuple[Untouched, ...]]:
    everywhere = inventory.hosts_of(name)
    choice = choose(
        name,
        service,
        verb=wish.verb,
        hosts=everywhere,
        wanted=wish.wanted_of(name),
        target=wish.target(name),
        survey=wish.survey,
    )
    catch_up = wish.target(name).catch_up
    if catch_up is not None:
        choice = without_absent(choice, catch_up)
    if not choice.hosts and not choice.absent:
        return None, choice.untouched
    return _service_plan(name, service, inventory, choice, wish), choice.untouched


def _service_plan(
    name: str, service: ServiceConfig, inventory: Inventory, choice: Choice, wish: _Wish
) -> ServicePlan:
    everywhere = inventory.hosts_of(name)
    options, rollout, hosts = wish.options, service.rollout, choice.hosts
    max_failed = rollout.max_failed if options.max_failed is None else options.max_failed
    release, live = _release(name, service, wish), live_schema(name, wish.survey)
    guarded = guard_schema(
        name, service, release, wish.survey, touched=frozenset(hosts), max_failed=max_failed,
        skip_migrations=options.skip_migrations, no_way_back=options.no_way_back,
    )  # fmt: skip
    out = _out(name, everywhere, frozenset(hosts), wish.survey)
    order = Arranging(
        name, rollout, options, inventory, everywhere, frozenset(hosts), len(out), service.strategy
    ).arranged()
    size = order.size
    steps = STRATEGIES[service.strategy](service, wish.verb, migrate=not options.skip_migrations)
    seconds, known = estimate(name, service, steps, wish.history)
    installs = installs_now(name, service, wish.verb, hosts, wish.survey)
    batches = rolling.batches(
        order.groups,
        canary=order.canary,
        installs=installs,
        zones=order.zones,
    )
    notes = notes_of(
        name, service, size=size, steps=steps, out=out, force=options.force, installs=installs,
        others=len(hosts) > len(installs), most=max((len(b.hosts) for b in batches), default=0),
    )  # fmt: skip
    by_hand = _by_hand(name, everywhere, wish.survey) if StepKind.DRAIN in steps else {}
    planned = ServicePlan(
        name=name,
        wave=1,
        after=(),
        steps=steps,
        batches=batches,
        total=size.total,
        floor=size.floor,
        max_failed=max_failed,
        on_failure=options.on_failure or service.on_failure,
        pause=rollout.pause,
        expected=seconds,
        known=known,
        strategy=service.strategy,
        to=release.to_json() if release else {},
        from_=releases_now(name, hosts, wish.survey),
        images=images_now(service, name, hosts, wish.survey),
        fingerprints=fingerprints_now(name, hosts, wish.survey),
        zones=order.zones,
        config=marks_wanted(wish.target(name), hosts),
        config_from=marks_now(name, hosts, wish.survey),
        config_changes=changes(name, wish.target(name), hosts, wish.survey),
        kind=kinds_of(service, release, steps),
        promoted=wish.target(name).promoted,
        schema_live=live,
        missed=_missed_in(wish.target(name)),
        held=held(rollout, steps, batches),
        notes=(
            *_brought(name, wish.target(name), hosts),
            *guarded,
            *migration_notes(name, service, steps, release=release, live=live),
            *order.notes_of(name),
            *share_notes(name, rollout, steps, batches, size.total),
            *notes,
            *drained_notes(name, by_hand),
            *(unsure_notes(name, hosts, wish.survey) if StepKind.SWITCH in steps else ()),
            *evidence_notes(name, service, steps, judged=not options.force),
            *(() if options.force else beside_notes(name, service, steps, batches, size.total)),
        ),
        down=down_now(name, everywhere, installs, wish.survey),
        by_hand=by_hand,
        installs=installs,
        absent=choice.absent,
        unfit=_unfit(name, everywhere, {*choice.absent, *installs}, wish.survey),
    )
    return spared(planned, service, size.batch, inventory.zones(hosts))


def _by_hand(name: str, everywhere: Sequence[str], survey: Survey | None) -> dict[str, str]:
    """Instances that a person drained: by whom, and why."""
    seen = ((host, survey.of(name, host)) for host in everywhere) if survey else ()
    return {host: s.by_hand for host, s in seen if s is not None and s.by_hand}


def _missed_in(target: Target) -> str:
    missed = target.catch_up.missed if target.catch_up else None
    return missed.rollout if missed else ""


def _brought(name: str, target: Target, hosts: Sequence[str]) -> Iterator[str]:
    """What the plan says of what it brings."""
    yield from target.notes
    if target.catch_up is not None:
        yield f"{name}: {note_of(target.catch_up, hosts)}"


def _release(name: str, service: ServiceConfig, wish: _Wish) -> ReleaseRef | None:
    if wish.verb is not Verb.DEPLOY or service.release is None:
        return None
    release = wish.target(name).release
    if release is None:
        raise ValueError(f"a deploy of {name} needs its resolved release in targets")
    return release


def _out(
    name: str, everywhere: Sequence[str], touched: frozenset[str], survey: Survey | None
) -> dict[str, Seen]:
    """Instances that were seen not running and that the plan leaves alone."""
    if survey is None:
        return {}
    seen = ((host, survey.of(name, host)) for host in everywhere if host not in touched)
    return {host: s for host, s in seen if s is not None and not s.serves}


def _unfit(
    name: str, everywhere: Sequence[str], told: Collection[str], survey: Survey | None
) -> dict[str, str]:
    """Instances that would not pass now; the rest of what is out was ``told``."""
    if survey is None:
        return {}
    seen = ((host, survey.of(name, host)) for host in everywhere if host not in told)
    return {host: why for host, s in seen if s is not None and (why := s.unfit or s.reason)}


def _warned(planned: Sequence[ServicePlan], wish: _Wish) -> tuple[ServicePlan, ...]:
    """With a note of what it would be refused for, or what counts as failed from the beginning."""
    refused = refusals(planned)
    return tuple(
        replace(service, notes=(*service.notes, f"{service.name}: {why}"))
        if (why := refused.get(service.name) or _tolerated(service, wish))
        else service
        for service in planned
    )


def _tolerated(service: ServicePlan, wish: _Wish) -> str:
    """What already counts as failed though it may begin, and what all else can come to."""
    failing = failing_now(service)
    if not failing:
        return ""
    told = f"max_failed: {service.max_failed} allows it, and {counted(failing)}"
    rest = any(host not in failing for host in service.hosts)
    mixed = bool(service.absent) or wish.verb is not Verb.RESTART
    if not rest or not mixed or wish.options.force:
        return told
    return f"{told}; it ends with exit code 5 even if all others succeed"


def _in_order(planned: Sequence[ServicePlan], loaded: Loaded) -> tuple[ServicePlan, ...]:
    after = {name: service.after for name, service in loaded.project.services.items()}
    order = schedule.among([service.name for service in planned], after)
    hosts = {service.name: service.hosts for service in planned}
    order = schedule.apart(order, neighbours_in(loaded.project, order, hosts))
    wave = schedule.waves(order)
    placed = [replace(s, wave=wave[s.name], after=order[s.name]) for s in planned]
    return tuple(sorted(placed, key=lambda service: service.wave))
