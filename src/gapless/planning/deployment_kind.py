"""Of which kind a deployment is: what of {code, config, unit, schema} it brings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gapless.config.services import ServiceConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.drivers.runtimes.brought import brings
from gapless.plans import StepKind

CODE, CONFIG, UNIT, SCHEMA = "code", "config", "unit", "schema"


def kinds_of(
    service: ServiceConfig, release: ReleaseRef | None, steps: Sequence[StepKind]
) -> tuple[str, ...]:
    """In the order of the tuple that is restored as one; nothing for a restart."""
    return tuple(_kinds(service, release, steps)) if StepKind.STAGE in steps else ()


def _kinds(
    service: ServiceConfig, release: ReleaseRef | None, steps: Sequence[StepKind]
) -> Iterator[str]:
    if release is not None:
        yield CODE
    if service.config:
        yield CONFIG
    if brings(service):
        yield UNIT
    declared = service.release.schema_ if service.release else None
    if StepKind.MIGRATE in steps or (declared is not None and declared.at_start):
        yield SCHEMA
