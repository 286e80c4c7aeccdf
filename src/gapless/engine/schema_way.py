"""What a migration did to the schema, and what takes it back, as far as the journal knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gapless.config.releases import MigrateConfig, SchemaConfig
from gapless.drivers.releases.base import ReleaseRef
from gapless.engine.journal import StepRecord
from gapless.plans import ServicePlan
from gapless.undo import was_absent


@dataclass(frozen=True, slots=True)
class WayDown:
    """What takes the data back to the version ``to``; without a command ``why`` it stays."""

    to: int | None
    argv: tuple[str, ...] = ()
    why: str = ""


def way_down(
    service: ServicePlan, migrate: MigrateConfig | None, record: StepRecord | None
) -> WayDown | None:
    """The way back of what the migration with this record did; None where nothing was migrated, or
    nothing rose."""
    if migrate is None or record is None or not record.good:
        return None
    before, declared = record.result.get("schema_before"), declared_by(service)
    if "to" in record.result:
        return WayDown(before, why=f"it went down to {record.result['to']}, and nothing raises it")
    if before is not None and declared is not None and before >= declared:
        return None
    if migrate.down is None:
        return WayDown(before, why="migrate.down is not given")
    if before is None:
        return WayDown(None, why="without migrate.current the version before is not known")
    argv = tuple(word.replace("{version}", str(before)) for word in migrate.down)
    return WayDown(int(before), argv)


def declared_by(service: ServicePlan) -> int | None:
    """The version that the release works with which the plan brings."""
    return ReleaseRef.from_json(service.to).schema if service.to else None


def cannot_live(
    kept: Mapping[str, Any], service: ServicePlan, way: WayDown | None, *, migrated: bool
) -> bool:
    """Whether the release of a snapshot that is gone back to cannot live with the version that
    ``service`` brought; where nobody knows what it lives with it counts when the data was
    ``migrated``."""
    release, before, brought = _release(kept), service.schema_live, declared_by(service)
    if was_absent(kept) or brought is None:
        return False
    if release is None or (release.schema is None and before is None):
        return migrated
    went_down = way is not None and way.to is not None and way.to > brought
    oldest = release.reads[0] if release.reads else release.schema
    if went_down and oldest is not None:
        return oldest > brought
    return release.newest(before or 0) < brought


def can_be_bumped(
    kept: Mapping[str, Any], service: ServicePlan, schema: SchemaConfig | None
) -> bool:
    """Whether ``schema.bump`` lifts the release of a snapshot over what ``service`` brought: there
    is one, and it is known what it lives with."""
    release = _release(kept)
    if schema is None or schema.bump is None or release is None:
        return False
    return release.schema is not None or service.schema_live is not None


def _release(kept: Mapping[str, Any]) -> ReleaseRef | None:
    return ReleaseRef.from_json(kept["release"]) if kept.get("release") else None
