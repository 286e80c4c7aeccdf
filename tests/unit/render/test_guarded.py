"""What a plan promises of clusters: what their gates keep, and not a number that serves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gapless.plans import Batch, Plan, ServicePlan, StepKind, Verb
from gapless.render.plan import render_plan
from tests.unit.render import goldens, streams

STEPS = (StepKind.PREFLIGHT, StepKind.EVACUATE, StepKind.SWITCH, StepKind.READY, StepKind.REJOIN)


def member_of(name: str, **changes: Any) -> ServicePlan:
    """A cluster of three, of which the floor alone would let two go."""
    batches = tuple(Batch(f"batch{n}", (f"{name}{n}",)) for n in (1, 2, 3))
    made = ServicePlan(name, 1, (), STEPS, batches, 3, 1, 0, "stop", 0.0, 20.0)
    return replace(made, strategy="followers-first", **changes)


def plan(*services: ServicePlan, **changes: Any) -> Plan:
    made = streams.shop_plan(verb=Verb.RESTART, services=services, untouched=(), definitions={})
    return replace(made, **changes)


def told(*services: ServicePlan, **changes: Any) -> str:
    return " ".join(render_plan(plan(*services, **changes)).split())


def test_a_cluster_is_promised_what_its_groups_need() -> None:
    goldens.check("plan_cluster", render_plan(plan(member_of("etcd"))))
    text = told(member_of("etcd"))
    assert "1 of 3" not in text


def test_clusters_with_other_reserves_are_told_apart() -> None:
    text = told(member_of("etcd"), member_of("store", reserve=2), member_of("none", reserve=0))
    assert "every group of etcd keeps its quorum or minimum, and one more in sync" in text
    assert "every group of store keeps its quorum or minimum, and 2 more in sync" in text
    assert "every group of none keeps its quorum or minimum;" in text


@pytest.mark.parametrize("why", ["forced", "alone"])
def test_where_the_gates_decide_nothing_the_floor_is_told(why: str) -> None:
    if why == "forced":
        text = told(member_of("etcd"), force="it has to be")
        assert "at least 1 of 3 etcd serve" in text
    else:
        text = told(member_of("etcd", batches=(Batch("b", ("etcd1",)),), total=1, floor=0))
        assert "etcd is out while being replaced" in text
    assert "every group" not in text


def test_a_process_of_a_cluster_has_no_old_copy_that_serves_on() -> None:
    definitions = {"project": {"services": {"etcd": {"process": {"command": ["x"]}}}}}
    back = member_of("etcd", on_failure="rollback")
    text = told(back, definitions=definitions)
    assert "serves all the while" not in text
    assert "its old copy serves on" not in text
