"""Of which kind a deployment was in one environment, and of which it would be in another.

1. What was verified is the tuple: code, configuration, unit and schema that were brought together.
   A promotion that would bring more of it, or less, is another deployment.
2. Where the file itself makes the two environments differ in it that is wanted, and told.
3. Where it does not, the file was changed since: nobody verified it like this, and it is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gapless.config.services import ServiceConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.errors import Refused
from gapless.planning.deployment_kind import kinds_of
from gapless.plans import StepKind


def kind_of(service: ServiceConfig, release: ReleaseRef, *, migrated: bool) -> tuple[str, ...]:
    """What a deploy of it brings as the file is now, with its migration or without."""
    migrates = [StepKind.MIGRATE] if migrated and service.migrate else []
    return kinds_of(service, release, [StepKind.STAGE, *migrates])


def compare_kinds(
    name: str,
    environment: str,
    recorded: Collection[str],
    *,
    there: Collection[str],
    here: Collection[str],
) -> tuple[str, ...]:
    """What to tell of it. ``there`` and ``here`` are what the file says now of the environment in
    which it was ``recorded``, and of this one. Raises Refused."""
    another = {*recorded} ^ {*here}
    changed = {kind for kind in another if (kind in there) == (kind in here)}
    if changed:
        raise Refused(
            f"{name} would not be deployed here as it was in {environment}:"
            f" {' and '.join(_told(changed, here, 'brought', 'not brought'))} by now",
            where=name,
            evidence=f"verified in {environment}: {_listed(recorded)}\nhere: {_listed(here)}",
            next=f"gapless deploy -e {environment} {name}, then promote again",
        )
    if not another:
        return ()
    words = " and ".join(_told(another, here, "brought here, and not", "not brought here, but"))
    return (f"{name}: {words} in {environment}, as the file says",)


def _told(kinds: Iterable[str], here: Collection[str], more: str, less: str) -> list[str]:
    return [f"{kind} is {more if kind in here else less}" for kind in sorted(kinds)]


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(kinds) or "nothing"
