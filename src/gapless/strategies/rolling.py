"""Rolling: every instance is replaced in place, a few at a time.

1. ``max_unavailable`` of all instances of the service may be out at any moment, broken and
   unreachable ones included. The floor is the rest: it serves throughout.
2. The canaries go first, one after another, in the order of the file. Hosts that get the unit for
   the first time go before all others and in batches of their own: they add to what serves, and
   until they serve nothing else may go out.
3. The others follow in batches of ``batch`` instances, never more than may be out, so a batch
   larger than ``max_unavailable`` is cut down to it.
4. Instances that are out already and are not replaced count against ``max_unavailable``; one at a
   time is the least.
5. A single instance has no floor: it is down during its restart, and the plan says so.
6. Each instance goes through the same steps: preflight, snapshot, stage and migrate when there is
   something new, drain and admit when a balancer sends traffic to it, switch, ready, soak, verify
   when there is something to verify, commit.
7. A batch begins when the one before is done with its steps, and after ``pause``.

Shares are of all instances of the service. A share of ``batch`` or ``max_unavailable`` that is
less than one instance means one; a share of ``canary`` that is less than one means none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from gapless.config.quantities import resolve_amount
from gapless.config.services import ServiceConfig
from gapless.drivers.runtimes.brought import brings
from gapless.plans import Batch, StepKind, Verb


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many at once, worked out for a number of instances."""

    total: int
    canary: int
    batch: int
    floor: int
    wanted: int
    """Batch size that was asked for, before it was cut down."""


def sizes(
    total: int,
    *,
    canary: int | str,
    batch: int | str,
    max_unavailable: int | str,
    out: int = 0,
) -> Sizes:
    """Rules 1 to 5; ``out`` instances are not serving and are not replaced."""
    may_be_out = min(total, resolve_amount(max_unavailable, total, at_least=1))
    wanted = resolve_amount(batch, total, at_least=1)
    return Sizes(
        total=total,
        canary=resolve_amount(canary, total),
        batch=max(1, min(wanted, may_be_out - out)),
        floor=total - may_be_out,
        wanted=wanted,
    )


def batches(hosts: Sequence[str], size: Sizes, installs: Collection[str] = ()) -> tuple[Batch, ...]:
    """Rules 2 and 3: each host in exactly one batch, in the order given; ``installs`` first."""
    fresh = [host for host in hosts if host in installs]
    others = [host for host in hosts if host not in installs]
    ordered = [*fresh, *others]
    rest = (
        *_cut(fresh[size.canary :], size.batch),
        *_cut(others[max(0, size.canary - len(fresh)) :], size.batch),
    )
    return (
        *(Batch(f"canary{n}", (host,)) for n, host in enumerate(ordered[: size.canary], 1)),
        *(Batch(f"batch{n}", b) for n, b in enumerate(rest, 1)),
    )


def _cut(hosts: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    rest = iter(hosts)
    while batch := tuple(islice(rest, size)):
        yield batch


def steps(service: ServiceConfig, verb: Verb, *, migrate: bool) -> tuple[StepKind, ...]:
    """Rule 6: what applies to this service."""
    deploys = verb is Verb.DEPLOY
    applies = {
        StepKind.STAGE: deploys and has_something_new(service),
        StepKind.MIGRATE: migrate and service.migrate is not None and verb is not Verb.ROLLBACK,
        StepKind.DRAIN: bool(service.balancer),
        StepKind.ADMIT: bool(service.balancer),
        StepKind.SOAK: service.soak != 0,
        StepKind.VERIFY: bool(service.verify),
    }
    return tuple(step for step in _IN_PLACE if applies.get(step, True))


_IN_PLACE = (
    StepKind.PREFLIGHT,
    StepKind.SNAPSHOT,
    StepKind.STAGE,
    StepKind.MIGRATE,
    StepKind.DRAIN,
    StepKind.SWITCH,
    StepKind.READY,
    StepKind.ADMIT,
    StepKind.SOAK,
    StepKind.VERIFY,
    StepKind.COMMIT,
)


def has_something_new(service: ServiceConfig) -> bool:
    """Whether a deploy brings anything to its hosts."""
    return service.release is not None or brings(service)
