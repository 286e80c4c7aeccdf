"""What a plan says of the shares of the traffic that new copies get before they get all of it, and
of whom they are compared with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from gapless.config.quantities import format_duration, format_share
from gapless.config.rollout import RolloutConfig
from gapless.config.services import ServiceConfig
from gapless.planning.arranging import named_few
from gapless.plans import Batch, StepKind


def share_notes(
    name: str,
    rollout: RolloutConfig,
    steps: Collection[StepKind],
    batches: Sequence[Batch],
    total: int,
) -> Iterator[str]:
    """One sentence: who, which shares, for how long."""
    if StepKind.SHIFT not in steps:
        return
    first = [host for batch in batches if batch.first for host in batch.hosts]
    if not first:
        yield f"{name}: no share of the traffic comes before all of it, because nobody goes first"
        return
    shares = ", then ".join(
        f"{format_share(one.share).replace('%', ' %')} of the traffic for"
        f" {format_duration(rollout.hold if one.hold is None else one.hold)}"
        for one in rollout.shift
    )
    whose = "each in its turn, " if len(first) > 1 else ""
    most = ", at most what one instance gets" if total > 1 else ""
    yield f"{name}: the new copy on {named_few(first)} gets {whose}{shares}{most}; then all of it"


def beside_notes(
    name: str,
    service: ServiceConfig,
    steps: Collection[StepKind],
    batches: Sequence[Batch],
    total: int,
) -> Iterator[str]:
    """One sentence: whose errors are compared with whose, where a balancer counts those of each
    copy."""
    judge = next((entry.judge for entry in service.verify if entry.balancer_errors), None)
    first = [host for batch in batches if batch.first for host in batch.hosts]
    if judge is None or not first or {StepKind.SHIFT, StepKind.VERIFY}.difference(steps):
        return
    rest = [host for batch in batches if not batch.first for host in batch.hosts]
    beside = "are judged beside the old one at its shares, and what they come to there stands"
    told = f"{name}: balancer errors of the new copy on {named_few(first)} {beside}"
    if not rest:
        why = "; no other instance is left to compare it with" if total == len(first) == 1 else ""
        yield f"{told}{why}"
        return
    untouched = ", and by instances that are not touched yet" if judge.controls else ""
    last = f"; on {named_few(batches[-1].hosts)}, the last, by what was before alone"
    alone = last if untouched and total == len(first) + len(rest) else ""
    yield f"{told}; on all others by what each had before{untouched}{alone}"


def held(rollout: RolloutConfig, steps: Collection[StepKind], batches: Sequence[Batch]) -> float:
    """Seconds for which shares are held in all of its batches."""
    return sum(rollout.held for batch in batches if batch.first and StepKind.SHIFT in steps)
