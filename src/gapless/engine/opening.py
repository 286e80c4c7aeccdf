"""Before the first change: every host answers, every instance is fit — or nothing is touched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from gapless.engine.config_change import refuse_hindered
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.engine.copies import on_live
from gapless.engine.first_install import removes
from gapless.engine.floor import Floor
from gapless.engine.going_without import going_without
from gapless.engine.left_out import drained_by_hand, who_drained
from gapless.engine.opening_balancers import ask_balancers
from gapless.engine.opening_clusters import ask_clusters, begin_all
from gapless.engine.steps.health import tell, worst
from gapless.engine.steps.preflight import examine, forced, hinders, unfit
from gapless.errors import GaplessError, PreflightFailed
from gapless.plans import ServicePlan, StepKind, Verb

OUT_OF_SERVICE = frozenset((StepKind.DRAIN, StepKind.EVACUATE, StepKind.SWITCH))
"""Steps that take an instance away from clients: the floor is asked before the first of them."""
AT_ONCE = 50
"""Instances examined at the same time; connections have a limit of their own."""
_NOT_TOUCHED = ("untouched", "lost")
"""Outcomes of instances that may serve again, or no more, when a rollout goes on."""
_LINES = 20
"""Lines of evidence in a refusal."""
_NAMED = 20
"""Hosts that the next command names; of more, it asks all."""


async def examine_all(ctx: RolloutContext) -> None:
    """Examine every instance of the plan and the untouched ones that count for the floor.

    More unfit or unreachable instances than ``max_failed``, over all services, refuse the whole
    rollout; fewer are left out, counted as failed and as broken for the floor. A floor that could
    not be held whatever comes refuses it, too, and so does a balancer that cannot be asked."""
    gate = asyncio.Semaphore(AT_ONCE)
    services = (_open_service(ctx, service, gate) for service in ctx.plan.services)
    results = await asyncio.gather(*services, return_exceptions=True)
    found_of: list[tuple[ServicePlan, dict[str, GaplessError]]] = []
    for service, result in zip(ctx.plan.services, results, strict=True):
        if isinstance(result, BaseException):
            raise result
        found_of.append((service, result))
    unfit_of = [(service, unfit) for service, found in found_of if (unfit := _own(service, found))]
    total = sum(len(unfit_here) for _, unfit_here in unfit_of)
    if any(total > service.max_failed for service, _ in unfit_of):
        refusal = _refusal(ctx.plan.verb, unfit_of)
        refusal.next = "\n".join(filter(None, (refusal.next, going_without(ctx, unfit_of))))
        raise refusal
    for service, unfit_here in unfit_of:
        for host, error in unfit_here.items():
            ctx.lost[service.name, host] = error
    for service, found in found_of:
        _refuse_below_floor(ctx, service, found)
    await ask_balancers(ctx)
    await ask_clusters(ctx)


def _own(service: ServicePlan, found: Mapping[str, GaplessError]) -> dict[str, GaplessError]:
    """Of what was found out, what is about instances that are to be replaced."""
    touched = {*service.hosts, *service.absent}
    return {host: error for host, error in found.items() if host in touched}


def _refuse_below_floor(
    ctx: RolloutContext, service: ServicePlan, found: Mapping[str, GaplessError]
) -> None:
    """Which instances are out is known before the first is touched: so is a floor that they leave
    no room above."""
    floor = floor_of(ctx, service)
    gone = {host for name, host in ctx.lost if name == service.name}
    leaving = (host for host in service.hosts if removes(InstanceContext(ctx, service, host)))
    kept = service.kept_in(floor.broken, {*gone, *leaving, *floor.by_hand})
    if ctx.plan.verb is Verb.DRAIN:
        kept = service.kept_from_leaving(floor.broken)
        before = service.hosts[: service.hosts.index(kept)] if kept else ()
        floor = floor.without(before)
    if kept:
        error = floor.refusal(kept)
        told = [f"{host}: {found[host].what}" for host in sorted(found)]
        error.evidence = "\n".join([error.evidence, *told])
        raise error


async def _open_service(
    ctx: RolloutContext, service: ServicePlan, gate: asyncio.Semaphore
) -> dict[str, GaplessError]:
    """Which instances are unfit, and why."""
    floor = floor_of(ctx, service)
    touched = {*service.hosts, *service.absent}
    answers = await asyncio.gather(
        *(_examine(ctx, service, host, gate, host in touched) for host in sorted(floor.hosts))
    )
    findings = {host: error for host, error in answers if error is not None}
    floor.broken.update(findings, service.installs)
    return findings


async def examine_again(ctx: RolloutContext) -> None:
    """After a crash the floor is counted anew: from what the journal says of the instances that
    were begun, and from what the others say now. Nothing is refused any more."""
    gate = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(_count_again(ctx, service, gate) for service in ctx.plan.services))


async def _count_again(ctx: RolloutContext, service: ServicePlan, gate: asyncio.Semaphore) -> None:
    ask = recall_floor(ctx, service)
    answers = await asyncio.gather(
        *(_examine(ctx, service, host, gate, touched=False) for host in sorted(ask))
    )
    floor = floor_of(ctx, service)
    for host, error in answers:
        if error is not None:
            floor.broken.add(host)
        elif host not in floor.by_hand:
            floor.broken.discard(host)


def recall_floor(ctx: RolloutContext, service: ServicePlan) -> set[str]:
    """Tell the service's floor what the journal knows; hosts that only an examination tells of."""
    floor = floor_of(ctx, service)
    floor.broken.update(service.absent)
    ask = set(floor.hosts).difference(service.hosts, service.absent)
    for host in service.hosts:
        ended = ctx.steps.get(f"{service.key_prefix}/{host}/{service.name}/outcome")
        said = str(ended.result.get("outcome")) if ended else ""
        serves = bool(ended.result.get("serves", said != "broken")) if ended else True
        gone = (service.name, host) in ctx.lost
        if gone or not serves or (host in service.installs and said != "done"):
            floor.broken.add(host)
        if gone or host in service.installs:
            continue
        if said in _NOT_TOUCHED:
            ask.add(host)
        elif not said and _out_of_service(ctx, service, host):
            floor.out.add(host)
        elif not said:
            ask.add(host)
    return ask


def _out_of_service(ctx: RolloutContext, service: ServicePlan, host: str) -> bool:
    return any(service.step_key(host, kind) in ctx.steps for kind in OUT_OF_SERVICE)


def floor_of(ctx: RolloutContext, service: ServicePlan) -> Floor:
    """The service's floor, made at first use."""
    if service.name not in ctx.floors:
        hosts = {*ctx.assembly.hosts_of(service.name), *service.hosts, *service.absent}
        cluster = StepKind.EVACUATE in service.steps
        ctx.floors[service.name] = Floor(service.name, hosts, service.floor, cluster=cluster)
    return ctx.floors[service.name]


async def _examine(
    ctx: RolloutContext, service: ServicePlan, host: str, gate: asyncio.Semaphore, touched: bool
) -> tuple[str, GaplessError | None]:
    lost = ctx.lost.get((service.name, host))
    if lost is not None:
        return host, lost
    instance = InstanceContext(ctx, service, host)
    async with gate:
        try:
            if not touched:
                await instance.transport.connect()
            instance = await on_live(instance)
            finding = worst(await examine(instance))
            hindered = finding is None or not touched or await hinders(instance, finding)
            by_hand = await _drained_by_hand(instance)
            if touched:
                await refuse_hindered(instance)
        except GaplessError as error:
            if touched and ctx.plan.verb is Verb.DRAIN:  # out of traffic it goes all the same
                floor_of(ctx, service).broken.add(host)
                return host, None
            return host, error
    if by_hand:
        floor_of(ctx, service).drained_by_hand(host, by_hand)
    if finding is None and host in service.absent:
        return host, absent(ctx, service, host)
    if finding is None:
        return host, None
    if not hindered:
        floor_of(ctx, service).broken.add(host)
        return host, None
    if touched:
        tell(instance, "preflight", [finding])
    return host, unfit(instance, finding)


async def _drained_by_hand(ctx: InstanceContext) -> str:
    """Who has it out of traffic by hand, and why; "" when nobody has. However fit it is, it is
    none of those that serve."""
    if StepKind.DRAIN not in ctx.service.steps:
        return ""
    told = await drained_by_hand(ctx)
    return who_drained(told) if told else ""


def absent(ctx: RolloutContext, service: ServicePlan, host: str) -> PreflightFailed:
    """An instance that the plan had to leave out, and that nobody may touch now."""
    return PreflightFailed(
        f"when the plan was made it was {service.absent[host]}",
        where=f"{service.name}@{host}",
        next=f"gapless plan {ctx.plan.verb.value} {service.name}",
    )


def _refusal(
    wish: Verb, unfit_of: list[tuple[ServicePlan, dict[str, GaplessError]]]
) -> PreflightFailed:
    """One instance: its error, as it is. Several, of all services: each is told in the evidence,
    and only there."""
    every = [(service, *item) for service, unfit_here in unfit_of for item in unfit_here.items()]
    service, host, first = every[0]
    hosts = list(dict.fromkeys(host for _, host, _ in every))
    doctor = "gapless doctor" + (f" --hosts {','.join(hosts)}" if len(hosts) <= _NAMED else "")
    down = [
        service.name
        for service, unfit_here in unfit_of
        if StepKind.EVACUATE in service.steps and 1 < service.total == len(unfit_here)
    ]
    forcible = not down and all(getattr(error, "forcible", False) for *_, error in every)
    if len(hosts) <= _NAMED and forcible:
        names_of = dict.fromkeys(service.name for service, _, _ in every)
        doctor += f"   or   {forced(wish, list(names_of), hosts)}"
    doctor = "\n".join([doctor, *map(begin_all, down)])
    if len(every) == 1:
        return PreflightFailed(
            f"{service.name} on {host} is not fit to be touched: {first.what}",
            where=first.where or host,
            evidence=first.evidence,
            next=first.next or doctor,
        )
    several = len(unfit_of) > 1
    names = ", ".join(service.name for service, _ in unfit_of)
    lines = [
        line
        for service, host, error in every
        for line in _told(f"{host} {service.name}" if several else host, error)
    ]
    more = [f"… and {len(lines) - _LINES} more lines"] if len(lines) > _LINES else []
    verb, where = "are" if several else "is", f"{len(hosts)} host{'s' if len(hosts) > 1 else ''}"
    return PreflightFailed(
        f"{names} {verb} not fit to be touched on {where}",
        where=first.where or hosts[0],
        evidence="\n".join([*lines[:_LINES], *more]),
        next=doctor,
    )


def _told(place: str, error: GaplessError) -> list[str]:
    return [f"{place}: {error.what}", *(f"  {line}" for line in error.evidence.splitlines())]
