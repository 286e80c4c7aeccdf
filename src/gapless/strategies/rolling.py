"""Rolling: every instance is replaced in place, a few at a time.

1. ``max_unavailable`` of all instances of the service may be out at any moment, broken and
   unreachable ones included. The floor is the rest: it serves throughout.
2. The canaries go first, one after another: so many in the order of what follows, or those named.
3. Then come the groups in their order, and last the hosts that are in none; a host in several
   belongs to the first. A group begins when the one before is done, after its pause or after a
   person has approved. A group of which nothing is replaced asks for nothing.
4. Of a group, its own canaries go first. Hosts that get the unit for the first time go before the
   others and in batches of their own: they add to what serves, and until they serve nothing else
   may go out.
5. The others follow in batches of ``batch`` instances, never more than may be out, so a batch
   larger than ``max_unavailable`` is cut down to it. Spread over zones, a batch has at most one
   instance of each: the next of another zone takes the place; one without a zone goes alone.
6. Instances that are out already and are not replaced count against ``max_unavailable``; one at a
   time is the least.
7. A single instance has no floor: it is down during its restart, and the plan says so.
8. Each instance goes through the same steps: preflight, snapshot, stage and migrate when there is
   something new, drain and admit when a balancer sends traffic to it, switch, ready, soak, verify
   when there is something to verify, commit.
9. A batch begins when the one before is done with its steps, and after ``pause``.

Shares are of all instances of the service; those that a group says are of the group. A share of
``batch`` or ``max_unavailable`` that is less than one instance means one; a share of ``canary``
that is less than one means none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, takewhile

from gapless.batching import NO_ZONES, cut
from gapless.config.quantities import resolve_amount
from gapless.config.services import ServiceConfig
from gapless.plans import Batch, StepKind, Verb
from gapless.strategies.lifecycle import applied

First = int | tuple[str, ...]
"""Canaries: how many, or which."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many at once, worked out for a number of instances."""

    total: int
    batch: int
    floor: int
    wanted: int
    """Batch size that was asked for, before it was cut down."""


def sizes(total: int, *, batch: int | str, max_unavailable: int | str, out: int = 0) -> Sizes:
    """Rules 1 and 5 to 7; ``out`` instances are not serving and are not replaced."""
    may_be_out = min(total, resolve_amount(max_unavailable, total, at_least=1))
    wanted = resolve_amount(batch, total, at_least=1)
    return Sizes(
        total=total,
        batch=max(1, min(wanted, may_be_out - out)),
        floor=total - may_be_out,
        wanted=wanted,
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Hosts that are replaced, in the order of the file, before those of the next group.

    ``name`` is "" for those in none. ``wait`` seconds, or with ``approve`` a person's word, come
    before the next group.
    """

    name: str
    hosts: tuple[str, ...]
    batch: int
    canary: First = 0
    wait: float = 0.0
    approve: bool = False


def batches(
    groups: Sequence[Group],
    *,
    canary: First = 0,
    installs: Collection[str] = (),
    zones: Mapping[str, str] = NO_ZONES,
) -> tuple[Batch, ...]:
    """Rules 2 to 5: each host in exactly one batch; ``zones`` as for :func:`gapless.batching.cut`
    where the batches are spread."""
    fresh = frozenset(installs)
    ordered = [replace(group, hosts=_installs_first(group.hosts, fresh)) for group in groups]
    first = _first(canary, [host for group in ordered for host in group.hosts])
    made = [Batch("canary", (host,)) for host in first]
    taken = frozenset(first)
    for group in ordered:
        left = tuple(host for host in group.hosts if host not in taken)
        own = list(_of_group(replace(group, hosts=left), fresh, zones))
        made += own
        if group.hosts and not own:  # its canaries are all of it, and bear its name
            made = _named(made, group)
        if made and group.hosts:  # whose hosts were all canaries asks for the same
            wait, approve = max(made[-1].wait, group.wait), made[-1].approve or group.approve
            made[-1] = replace(made[-1], wait=wait, approve=approve)
    if made:  # nothing follows
        made[-1] = replace(made[-1], wait=0.0, approve=False)
    return tuple(_numbered(made))


def _named(made: Sequence[Batch], group: Group) -> list[Batch]:
    """With the name of the group for those at the end that are of it alone."""
    own = list(takewhile(lambda batch: set(batch.hosts) <= set(group.hosts), reversed(made)))
    named = [replace(batch, group=group.name) for batch in reversed(own)]
    return [*made[: len(made) - len(own)], *named]


def _installs_first(hosts: Sequence[str], installs: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(hosts, key=lambda host: host not in installs))


def _first(canary: First, hosts: Sequence[str]) -> tuple[str, ...]:
    if isinstance(canary, int):
        return tuple(hosts[:canary])
    known = frozenset(hosts)
    return tuple(dict.fromkeys(host for host in canary if host in known))


def _of_group(group: Group, installs: Collection[str], zones: Mapping[str, str]) -> Iterator[Batch]:
    first = _first(group.canary, group.hosts)
    taken = frozenset(first)
    left = [host for host in group.hosts if host not in taken]
    yield from (Batch("canary", (host,), group.name) for host in first)
    for part in ([h for h in left if h in installs], [h for h in left if h not in installs]):
        yield from (Batch("batch", hosts, group.name) for hosts in cut(part, group.batch, zones))


def _numbered(made: Sequence[Batch]) -> Iterator[Batch]:
    number = {"canary": count(1), "batch": count(1)}
    for batch in made:
        yield replace(batch, name=f"{batch.name}{next(number[batch.name])}")


def steps(service: ServiceConfig, verb: Verb, *, migrate: bool) -> tuple[StepKind, ...]:
    """Rule 8: what applies to this service."""
    return applied(_IN_PLACE, service, verb, migrate=migrate)


_IN_PLACE = (
    StepKind.PREFLIGHT,
    StepKind.SNAPSHOT,
    StepKind.STAGE,
    StepKind.MIGRATE,
    StepKind.DRAIN,
    StepKind.SWITCH,
    StepKind.READY,
    StepKind.WARM,
    StepKind.ADMIT,
    StepKind.SOAK,
    StepKind.VERIFY,
    StepKind.COMMIT,
)
