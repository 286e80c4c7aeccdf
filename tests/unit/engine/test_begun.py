"""Whether an instance was begun is asked for every host: it must not read all steps."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gapless.engine.begun import was_begun
from gapless.engine.claims import _reach
from gapless.engine.claims_beside import Place
from gapless.engine.context import InstanceContext, RolloutContext
from gapless.errors import Unreachable
from gapless.plans import ServicePlan, StepKind
from gapless.testing.virtual_time import run_virtual


class Unread(dict[str, Any]):
    """Steps that can only be looked up."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("every step was read")

    keys = values = items = __iter__  # type: ignore[assignment]


class Away:
    async def connect(self) -> None:
        raise Unreachable("no answer", where="web1")


def rollout(*keys: str) -> RolloutContext:
    steps = Unread({key: SimpleNamespace(closed=True) for key in keys})
    assembly = SimpleNamespace(transport=lambda host: Away())
    return cast("RolloutContext", SimpleNamespace(steps=steps, assembly=assembly))


def service() -> ServicePlan:
    kinds = (StepKind.PREFLIGHT, StepKind.MIGRATE, StepKind.SWITCH)
    plan: Any = object.__new__(ServicePlan)
    for name, value in {"name": "api", "wave": 1, "steps": kinds}.items():
        object.__setattr__(plan, name, value)
    return cast("ServicePlan", plan)


@pytest.mark.parametrize(
    ("key", "begun", "known"),
    [
        ("wave1/web1/api/switch", True, True),
        ("wave1/web1/api/outcome", False, True),
        ("wave1/-/api/migrate", False, False),
        ("wave1/web2/api/switch", False, False),
    ],
)
def test_begun_is_looked_up(key: str, begun: bool, known: bool) -> None:
    ctx, plan = rollout(key), service()
    assert InstanceContext(ctx, plan, "web1").begun is begun
    assert was_begun(ctx, plan, "web1") is known


def test_reaching_a_host_reads_no_steps() -> None:
    """Nothing was begun there, so it is not waited for."""
    with pytest.raises(Unreachable):
        run_virtual(_reach(rollout("wave1/web2/api/switch"), Place("api", "web1", service())))
