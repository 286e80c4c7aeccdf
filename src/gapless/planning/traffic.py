"""What a plan says of what balancers answered: why a rollout would be refused, and who stays out.

1. The rollout asks the balancers once more before its first change, and refuses for a node that
   does not answer or has no member for an instance. The plan tells the same, in the same words.
2. With --force the rollout goes on all the same, and so does the plan: it only says it.
3. What is out of traffic already is left out by the rollout, unless gapless left it so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from gapless.engine.in_balancers import InBalancer
from gapless.errors import PreflightFailed
from gapless.model import Instance
from gapless.planning.survey import Survey
from gapless.plans import ServicePlan, StepKind

_SHOWN = 3


def with_traffic(service: ServicePlan, survey: Survey | None, *, force: str) -> ServicePlan:
    """With what its balancers answered of the instances that it steers."""
    if survey is None or not {StepKind.DRAIN, StepKind.ADMIT}.intersection(service.steps):
        return service
    standing = [
        one for host in _steered(service) for one in survey.in_balancers(service.name, host)
    ]
    unsteered = tuple(_objections(standing))
    out = _out(service, standing, survey)
    service = replace(
        service, left_out=tuple(dict.fromkeys(i.host for one in out.values() for i in one))
    )
    notes = [f"{service.name}: {note}" for note in _notes_of_out(service, out)]
    notes += [f"{service.name}: {note}" for note in _cautions(service, standing)]
    if force:
        forced = [f"{service.name}: forced: {why}" for why in unsteered]
        return replace(service, notes=(*service.notes, *notes, *forced))
    return replace(service, notes=(*service.notes, *notes), unsteered=unsteered)


def _steered(service: ServicePlan) -> Iterator[str]:
    """Not what is to come, nor what fails before it is steered."""
    return (
        host for host in service.hosts if host not in service.installs and host not in service.unfit
    )


def _objections(standing: Iterable[InBalancer]) -> Iterator[str]:
    """One a balancer: in the words of the refusal, and what of the other instances."""
    found: dict[str, list[PreflightFailed]] = {}
    for one in standing:
        if (objection := one.objection) is not None:
            found.setdefault(one.balancer, []).append(objection)
    for first, *others in found.values():
        evidence = f" ({first.evidence.splitlines()[0]})" if first.evidence else ""
        more = f"; {len(others)} more instances as well" if len(others) > 1 else ""
        more = "; one more instance as well" if len(others) == 1 else more
        yield f"{first.what}{evidence}{more}; {first.next}"


def _cautions(service: ServicePlan, standing: Sequence[InBalancer]) -> Iterator[str]:
    """What the drain of some will cost more than that of others."""
    if StepKind.DRAIN not in service.steps:
        return
    for one in standing:
        for caution in dict.fromkeys(member.caution for member in one.members if member.caution):
            yield f"{one.instance.host} in {one.balancer}: {caution}"


def _out(
    service: ServicePlan, standing: Sequence[InBalancer], survey: Survey
) -> Mapping[str, Sequence[Instance]]:
    """Who is out of traffic by balancer, though nobody said so to gapless: it is none of ours to
    let in."""
    out: dict[str, list[Instance]] = {}
    for one in standing:
        seen = survey.of(service.name, one.instance.host)
        ours = seen is not None and (seen.left_out or seen.by_hand)
        if one.out and not ours and StepKind.DRAIN in service.steps:
            out.setdefault(one.balancer, []).append(one.instance)
    return out


def _notes_of_out(service: ServicePlan, out: Mapping[str, Sequence[Instance]]) -> Iterator[str]:
    for balancer, instances in out.items():
        hosts = ", ".join(instance.host for instance in instances[:_SHOWN])
        more = f" and {len(instances) - _SHOWN} more" if len(instances) > _SHOWN else ""
        alone = len(instances) == 1
        left, was = ("is", "it was") if alone else ("are", "they were")
        yield (
            f"{hosts}{more} {left} left out of {balancer}: {was} out of traffic before this"
            f" rollout; gapless admit {instances[0] if alone else f'{service.name}@HOST'} ends it"
        )
