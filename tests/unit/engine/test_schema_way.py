"""What takes a migration back, and which release can live with what stays."""

from __future__ import annotations

from typing import Any

import pytest

from gapless.config.releases import MigrateConfig, SchemaConfig
from gapless.engine.journal import StepRecord, StepState
from gapless.engine.schema_way import WayDown, can_be_bumped, cannot_live, way_down
from gapless.plans import ServicePlan

MIGRATE = MigrateConfig.model_validate({"run": "m up", "down": "m down {version}"})
ABSENT = {"runtime": {"facts": {"absent": "yes"}}}


def service(declared: int | None, live: int | None = 1) -> ServicePlan:
    to = {"name": "v2", "digest": "", "path": "", "schema": declared}
    return ServicePlan(
        "api", 1, (), (), (), 1, 0, 0, "rollback", 0.0, 1.0, to=to, schema_live=live
    )  # fmt: skip


def migrated(state: StepState = StepState.DONE, **result: Any) -> StepRecord:
    return StepRecord("migrate", 1, state, {}, result)


def kept(schema: int | None, reads: list[int] | None = None) -> dict[str, Any]:
    return {"release": {"name": "v1", "digest": "", "path": "", "schema": schema, "reads": reads}}


@pytest.mark.parametrize(
    ("declared", "record", "way"),
    [
        (2, migrated(schema_before=1), WayDown(1, ("m", "down", "1"))),
        (None, migrated(schema_before=1), WayDown(1, ("m", "down", "1"))),
        (2, migrated(schema_before=2), None),
        (2, migrated(StepState.FAILED, schema_before=1), None),
        (2, None, None),
    ],
)
def test_it_goes_down_where_it_rose(
    declared: int | None, record: StepRecord | None, way: WayDown | None
) -> None:
    assert way_down(service(declared), MIGRATE, record) == way


def test_where_it_stays_the_reason_is_told() -> None:
    upward = MIGRATE.model_copy(update={"down": None})
    told = {
        "not given": way_down(service(2), upward, migrated(schema_before=1)),
        "without migrate.current": way_down(service(2), MIGRATE, migrated()),
        "it went down to 2": way_down(service(2), MIGRATE, migrated(schema_before=3, to=2)),
    }
    for why, way in told.items():
        assert way is not None
        assert way.argv == ()
        assert why in way.why


def test_what_is_removed_lives_with_anything() -> None:
    assert not cannot_live(ABSENT, service(2), None, migrated=True)
    assert cannot_live({"release": None}, service(2), None, migrated=True)


def test_a_release_lives_with_what_it_reads() -> None:
    assert cannot_live(kept(1), service(2), None, migrated=True)
    assert not cannot_live(kept(1, [1, 2]), service(2), None, migrated=True)
    assert cannot_live(kept(None), service(2, live=1), None, migrated=False)


def test_what_went_down_is_too_old_for_the_release_before() -> None:
    down = WayDown(3, why="it went down")
    assert cannot_live(kept(3), service(2, live=3), down, migrated=True)
    assert not cannot_live(kept(3, [2, 3]), service(2, live=3), down, migrated=True)


def test_nobody_is_bumped_of_whom_it_is_not_known_what_it_lives_with() -> None:
    schema = SchemaConfig.model_validate(
        {"version": 2, "current": "m current", "bump": "m bump {version}"}
    )
    assert can_be_bumped(kept(1), service(2), schema)
    assert can_be_bumped(kept(None), service(2, live=1), schema)
    assert not can_be_bumped(kept(None), service(2, live=None), schema)
    assert not can_be_bumped(kept(1), service(2), None)
