"""Every line of the table in docs/reference/handover.md, "What a copy is when it starts"."""

from __future__ import annotations

from pathlib import Path

import pytest

from gapless.handover.environment import read
from gapless.handover.standing import Standing, standing
from gapless.handover.state_file import read as read_state
from tests.unit.handover.site import state, variables

HEIR, STANDBY, JOINT = Standing.HEIR, Standing.STANDBY, Standing.JOINT
OBSOLETE, FIRST_COME = Standing.OBSOLETE, Standing.FIRST_COME


@pytest.mark.parametrize(
    ("phase", "active", "following", "latest", "epoch", "expected"),
    [
        ("done", 6, None, 6, 6, HEIR),
        ("standby", 6, 7, 7, 6, HEIR),
        ("joint", 6, 7, 7, 6, HEIR),
        ("standby", 6, 7, 7, 7, STANDBY),
        ("joint", 6, 7, 7, 7, JOINT),
        ("draining", 7, None, 7, 7, JOINT),
        ("done", 7, None, 7, 6, OBSOLETE),
        ("draining", 7, None, 7, 6, OBSOLETE),
        ("standby", 6, 8, 8, 7, OBSOLETE),
        # the handover to 7 was undone
        ("done", 6, None, 7, 7, OBSOLETE),
        ("standby", None, 7, 7, 7, STANDBY),
    ],
)
@pytest.mark.parametrize("role", ["active", "standby", "auto"])
def test_the_state_decides_whatever_the_role(
    tmp_path: Path,
    phase: str,
    active: int | None,
    following: int | None,
    latest: int,
    epoch: int,
    expected: Standing,
    role: str,
) -> None:
    state(tmp_path, phase, active=active, next=following, latest=latest)
    environment = read(variables(tmp_path, f"bot-{epoch}", epoch, ROLE=role))
    assert standing(environment, read_state(tmp_path).state, 0) is expected


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("role", "age", "expected"),
    [
        ("active", 0, HEIR),
        ("active", 1e9, HEIR),
        ("standby", 0, STANDBY),
        ("standby", 300, STANDBY),
        ("standby", 301, FIRST_COME),
        ("standby", float("inf"), FIRST_COME),
        ("auto", 0, FIRST_COME),
    ],
)
def test_the_role_decides_where_nobody_knows_the_copy(
    tmp_path: Path, known: bool, role: str, age: float, expected: Standing
) -> None:
    if known:
        state(tmp_path, active=6)
    environment = read(variables(tmp_path, "bot-9", 9, ROLE=role))
    assert standing(environment, read_state(tmp_path).state, age) is expected
