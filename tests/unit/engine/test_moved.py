"""A copy that was started anew at another address is not the one whose checks passed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gapless.engine.context import InstanceContext
from gapless.engine.steps.ready import _refuse_moved
from gapless.errors import NotReady
from gapless.model import InstanceState, Observation


def moved(known: str, now: str) -> None:
    ctx: Any = SimpleNamespace(
        address=known, instance="web on app1", host="app1",
        runtime=SimpleNamespace(look=lambda host: f"look at {host}"),
    )  # fmt: skip
    detail = {"address": now} if now else {}
    seen = Observation(InstanceState.RUNNING, identity="2", detail=detail)
    _refuse_moved(cast(InstanceContext, ctx), seen)


def test_it_is_refused_with_both_addresses() -> None:
    with pytest.raises(NotReady, match=r"10\.0\.0\.3, not at 10\.0\.0\.2"):
        moved("10.0.0.2", "10.0.0.3")


@pytest.mark.parametrize(("known", "now"), [("10.0.0.2", "10.0.0.2"), ("", "10.0.0.2"), ("x", "")])
def test_one_at_its_place_or_without_one_is_not(known: str, now: str) -> None:
    moved(known, now)
