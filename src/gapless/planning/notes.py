"""What a reader of a plan must know: costs, and what undo cannot do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from gapless.config.handover_service import HandoverConfig
from gapless.config.services import ServiceConfig
from gapless.planning.survey import Seen
from gapless.plans import StepKind
from gapless.strategies.rolling import Sizes

_SHOWN = 3
_PROJECT_COMES = (
    "its compose project comes with the release; what that says is asked when it is on the host,"
    " before anything that runs is changed"
)


def notes_of(
    name: str,
    service: ServiceConfig,
    *,
    size: Sizes,
    steps: Collection[StepKind],
    out: Mapping[str, Seen],
    force: str,
    installs: Sequence[str] = (),
    others: bool = False,
    most: int,
) -> Iterator[str]:
    """One sentence each. ``others``: not only ``installs`` are touched; ``most`` are replaced at
    the same time."""
    if installs:
        where, what = _named(installs), service.systemd.unit if service.systemd else "it"
        yield f"{name}: installs {what} (not on {where} yet); undo removes it"
        if others:
            yield f"{name}: {_named(installs)} first, so that more serve before others go out"
    if most == 0:
        pass  # nothing can be touched
    elif not service.in_place:
        yield f"{name}: {_doubled(most)}"
        if service.handover is not None and service.handover.lock != "none":
            yield f"{name}: {_claimed(service.handover)}"
    elif service.process is not None and not service.paired:
        pass  # the old copy serves until the new one does
    elif size.total == 1 and not installs:
        yield f"{name} has one instance: it is down during its restart"
    elif service.cluster is not None and not force:
        pass  # its own gates keep more than the floor
    elif size.floor == 0 and len(installs) < size.total:
        yield f"{name}: {_without_floor(size.total, most)}"
    if out:
        floor = f"; the floor of {size.floor} counts without them" if size.floor else ""
        yield f"{name}: {'; '.join(_listed(out))}{floor}"
    if StepKind.STAGE in steps and service.systemd and service.systemd.reload == "only":
        yield f"{name}: reload only: the process keeps its code, it reads its files again"
    if StepKind.STAGE in steps and service.compose_inside is not None:
        yield f"{name}: {_PROJECT_COMES}"
    if force:
        yield f"{name}: health gates are skipped: {force}"


def _without_floor(total: int, most: int) -> str:
    """Batches may be smaller than what max_unavailable allows."""
    if most >= total:
        return f"all {total} instances are down at once"
    return f"none of {total} instances has to keep serving; {most} at once are replaced"


def _doubled(most: int) -> str:
    whom = "each instance" if most == 1 else f"up to {most} instances at once"
    return f"two copies of {whom} while it is replaced: memory and connections for both"


def _claimed(handover: HandoverConfig) -> str:
    when = "while there are two copies" if handover.when == "window" else "at all times"
    what = "is dropped" if handover.fail == "closed" else "is handled, perhaps twice"
    kind = handover.lock.partition(":")[0]
    return f"events are claimed in {kind} {when}; one for which that has no answer {what}"


def drained_notes(name: str, by_hand: Mapping[str, str]) -> Iterator[str]:
    """Who stays out of traffic, whatever is done: host to who drained it by hand, and why."""
    for host, who in by_hand.items():
        yield (
            f"{name}: {host} stays out of traffic, drained by hand ({who});"
            f" gapless admit {name}@{host} ends it"
        )


def _listed(out: Mapping[str, Seen]) -> Iterator[str]:
    """What is known of them: of one that gave no answer nothing is."""
    kinds: dict[str, list[str]] = {}
    for host, seen in out.items():
        known = "" if seen.error else "not fit and " if seen.running else "not running and "
        kinds.setdefault(known, []).append(f"{host} ({seen.state})")
    for known, hosts in kinds.items():
        yield f"{_named(hosts)} {'is' if len(hosts) == 1 else 'are'} {known}left alone"


def _named(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - _SHOWN} more" if len(hosts) > _SHOWN else ""
    return f"{', '.join(hosts[:_SHOWN])}{more}"
