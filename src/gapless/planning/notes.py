"""What a reader of a plan must know: costs, and what undo cannot do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from gapless.config.services import ServiceConfig
from gapless.planning.survey import Seen
from gapless.plans import StepKind
from gapless.strategies.rolling import Sizes

_SHOWN = 3


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
    refused: bool = False,
) -> Iterator[str]:
    """One sentence each. ``others``: not only ``installs`` are touched; ``refused``: more hosts
    than max_failed cannot be touched."""
    if refused:
        yield f"{name}: refused as things are: hosts that cannot be touched count as failed"
    if installs and service.systemd is not None:
        where = _named(installs)
        yield f"{name}: installs {service.systemd.unit} (not on {where} yet); undo removes it"
        if others:
            yield f"{name}: {_named(installs)} first, so that more serve before others go out"
    if size.total == 1 and not installs:
        yield f"{name} has one instance: it is down during its restart"
    elif size.floor == 0 and len(installs) < size.total:
        yield f"{name}: all {size.total} instances may be down at once"
    if size.batch < size.wanted:
        yield f"{name}: {size.wanted} at once were asked for, {size.batch} at once keep the floor"
    if out:
        yield f"{name}: {_listed(out)}; the floor of {size.floor} counts without them"
    if out and size.total - len(out) <= size.floor:
        yield f"{name}: no other instance may go out: that would leave fewer than the floor"
    yield from _migration(name, service, steps)
    if StepKind.STAGE in steps and service.systemd and service.systemd.reload == "only":
        yield f"{name}: reload only: the process keeps its code, it reads its files again"
    if force:
        yield f"{name}: health gates are skipped: {force}"


def _migration(name: str, service: ServiceConfig, steps: Collection[StepKind]) -> Iterator[str]:
    if service.migrate is None:
        return
    if StepKind.MIGRATE not in steps:
        yield f"{name}: migrations are skipped"
    elif service.migrate.down is None:
        yield f"{name}: undo does not take the migration back (migrate.down is not given)"


def _listed(out: Mapping[str, Seen]) -> str:
    verb = "is" if len(out) == 1 else "are"
    hosts = [f"{host} ({seen.state})" for host, seen in out.items()]
    return f"{_named(hosts)} {verb} not running and left alone"


def _named(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - _SHOWN} more" if len(hosts) > _SHOWN else ""
    return f"{', '.join(hosts[:_SHOWN])}{more}"
